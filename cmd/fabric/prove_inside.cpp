// SPDX-License-Identifier: Apache-2.0
#include "fabric/prove_inside.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "base/fd.hpp"

namespace fabric::cmd {
namespace {

constexpr unsigned k_clone_tree = 1;  // OPEN_TREE_CLONE: a mount that goes with its descriptor

// All of this runs outside of any sandbox too, as root perhaps: whatever is tried must leave the
// machine as it was when it succeeds. No file with a name, no mount with a place, no signal but 0.
//
// What `attempt` returns is a descriptor, a count or -1 with errno, as of a system call. In a
// process of its own, so that a signal that ends it is an answer too, and nothing stays changed.
void attempt(const char* name, const std::function<long()>& attempt) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    errno = 0;
    const long result = attempt();
    ::_exit(result >= 0 ? 0 : errno == 0 ? EIO : errno & 0x7f);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) < 0) {
    std::printf("%s closed\tfork: %s\n", name, std::strerror(errno));
    return;
  }
  if (WIFSIGNALED(status))
    std::printf("%s closed\tkilled by %s\n", name, strsignal(WTERMSIG(status)));
  else if (WEXITSTATUS(status) == 0)
    std::printf("%s open\tit succeeded\n", name);
  else
    std::printf("%s closed\t%s\n", name, std::strerror(WEXITSTATUS(status)));
}

void value(const char* name, const std::string& text) {
  std::printf("%s value\t%s\n", name, text.c_str());
}

long connect_loopback(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

long connect_abstract(const std::string& name) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.c_str(), name.size());
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size()));
}

// A process can be in 16 Landlock domains at most (landlock_restrict_self(2)): one that is in one
// already has room for 15.
long enter_sixteen_domains() {
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const uint64_t handled[1] = {1};  // execute
  for (int i = 0; i < 16; ++i) {
    const long ruleset = ::syscall(SYS_landlock_create_ruleset, handled, sizeof handled, 0);
    if (ruleset < 0 || ::syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) return -1;
  }
  return 0;
}

std::string status_field(const char* field) {
  auto text = read_file("/proc/self/status", 65536);
  const std::string label = std::string("\n") + field + ":\t";
  const size_t at = text ? text->find(label) : std::string::npos;
  if (at == std::string::npos) return "?";
  const size_t from = at + label.size();
  return text->substr(from, text->find('\n', from) - from);
}

int open_descriptors() {
  int count = 0;
  DIR* directory = ::opendir("/proc/self/fd");
  while (directory != nullptr && ::readdir(directory) != nullptr) ++count;
  if (directory != nullptr) ::closedir(directory);
  return count - 3;  // ".", ".." and the one that reads
}

std::string limit_of(__rlimit_resource_t resource) {
  rlimit limit{};
  ::getrlimit(resource, &limit);
  return limit.rlim_max == RLIM_INFINITY ? "any" : std::to_string(limit.rlim_max);
}

// How many processes there may be besides this one.
int count_forks(int enough) {
  std::vector<pid_t> children;
  while (static_cast<int>(children.size()) < enough) {
    const pid_t child = ::fork();
    if (child < 0) break;
    if (child == 0) {
      for (;;) ::pause();
    }
    children.push_back(child);
  }
  for (pid_t child : children) ::kill(child, SIGKILL);
  for (pid_t child : children) ::waitpid(child, nullptr, 0);
  return static_cast<int>(children.size());
}

void try_files(const std::string& canary) {
  attempt("read-file", [&] { return ::open((canary + "/secret").c_str(), O_RDONLY); });
  attempt("write-file", [&] { return ::open((canary + "/secret").c_str(), O_WRONLY); });
  attempt("write-system", [] { return ::open("/usr", O_WRONLY | O_TMPFILE, 0600); });
  attempt("write-etc", [] { return ::open("/etc", O_WRONLY | O_TMPFILE, 0600); });
  attempt("mount", [] { return ::syscall(SYS_open_tree, AT_FDCWD, "/", k_clone_tree); });
  attempt("work-writable", [] { return ::open(".", O_WRONLY | O_TMPFILE, 0600); });
  struct statvfs space {};
  ::statvfs("/tmp", &space);
  value("tmp-bytes", std::to_string(space.f_blocks * space.f_frsize));
}

void try_network(int port, const std::string& abstract) {
  attempt("connect-loopback", [&] { return connect_loopback(port); });
  attempt("connect-abstract", [&] { return connect_abstract(abstract); });
  attempt("socket-packet", [] { return ::socket(AF_PACKET, SOCK_DGRAM, 0); });
  attempt("socket-vsock", [] { return ::socket(AF_VSOCK, SOCK_STREAM, 0); });
  attempt("socket-mptcp", [] { return ::socket(AF_INET, SOCK_STREAM, 262); });
}

void try_kernel() {
  attempt("user-namespace", [] { return ::unshare(CLONE_NEWUSER); });
  attempt("network-namespace", [] { return ::unshare(CLONE_NEWUSER | CLONE_NEWNET); });
  attempt("io-uring", [] {
    std::array<char, 256> parameters{};
    return ::syscall(SYS_io_uring_setup, 1, parameters.data());
  });
  attempt("keyring", [] { return ::syscall(SYS_keyctl, 0, -3, 1); });
  attempt("landlock-room", enter_sixteen_domains);
}

}  // namespace

int prove_inside(const std::vector<std::string>& canaries) {
  if (canaries.size() == 1 && canaries[0] == "memory") {
    std::string much(size_t{256} << 20, 'x');
    return much[much.size() / 2] == 'x' ? 0 : 1;
  }
  if (canaries.size() != 5) return 2;
  try_files(canaries[0]);
  try_network(std::atoi(canaries[1].c_str()), canaries[2]);
  attempt("signal-process", [&] { return ::kill(std::atoi(canaries[3].c_str()), 0); });
  try_kernel();
  value("environment", std::getenv("FABRIC_DOCTOR_CANARY") != nullptr ? "the caller's" : "clean");
  value("capabilities", status_field("CapEff") + " " + status_field("CapBnd"));
  value("no-new-privs", status_field("NoNewPrivs"));
  value("seccomp", status_field("Seccomp"));
  value("descriptors", std::to_string(open_descriptors()));
  value("uid", std::to_string(::getuid()));
  value("nofile", limit_of(RLIMIT_NOFILE));
  value("core", limit_of(RLIMIT_CORE));
  value("file-size", limit_of(RLIMIT_FSIZE));
  const int enough = std::atoi(canaries[4].c_str());
  if (enough > 0) value("forks", std::to_string(count_forks(enough)));
  auto secret = read_file("/run/secrets/proof", 64);
  value("secret", secret ? *secret : "none");
  return 0;
}

}  // namespace fabric::cmd
