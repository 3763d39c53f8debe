// SPDX-License-Identifier: Apache-2.0
// Starting a supervisor in the background, and waiting for what the store tells.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "store/ownership.hpp"
#include "supervisor/client.hpp"

extern char** environ;

namespace fabric {
namespace {

constexpr Duration k_start_patience = Duration::seconds(30);

// What a supervisor in the background prints itself; its log is a file of its own, which rotates.
std::string errors_path(const config::Workspace& workspace) {
  return workspace.state_dir() + "/logs/supervisor.err";
}

// A datagram socket with an abstract name that the kernel chose (unix(7), autobind).
struct ReadySocket {
  Fd socket;
  std::string name;  // "@xxxxx", for NOTIFY_SOCKET
};

Result<ReadySocket> make_ready_socket() {
  ReadySocket ready;
  ready.socket = Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!ready.socket) return fail_errno(errno, "socket");
  int on = 1;
  ::setsockopt(ready.socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (::bind(ready.socket.get(), reinterpret_cast<const sockaddr*>(&address),
             sizeof(sa_family_t)) != 0)
    return fail_errno(errno, "bind");
  socklen_t size = sizeof address;
  ::getsockname(ready.socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  ready.name = "@" + std::string(address.sun_path + 1, size - offsetof(sockaddr_un, sun_path) - 1);
  return ready;
}

// True when the datagram is the child's: anybody may send to an abstract name.
bool is_ready(const Fd& socket, pid_t child) {
  char text[64];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))];
  iovec part{text, sizeof text};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t n = ::recvmsg(socket.get(), &message, MSG_DONTWAIT);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (n < 7 || !header || header->cmsg_type != SCM_CREDENTIALS) return false;
  ucred who{};
  std::memcpy(&who, CMSG_DATA(header), sizeof who);
  return who.pid == child && std::memcmp(text, "READY=1", 7) == 0;
}

Result<pid_t> spawn_supervisor(const config::Workspace& workspace, const std::string& binary,
                               const std::string& ready_name) {
  const std::string log = errors_path(workspace);
  ::mkdir((workspace.state_dir() + "/logs").c_str(), 0700);
  // What posix_spawn(3) says of a file that it cannot open is not which one.
  TRY_STATUS(open_file(log, O_WRONLY | O_CREAT | O_APPEND, 0600).map([](const Fd&) {}));
  std::vector<std::string> arguments{binary, "up", "-C", workspace.root};
  std::vector<char*> argv;
  for (std::string& a : arguments) argv.push_back(a.data());
  argv.push_back(nullptr);
  std::string notify = "NOTIFY_SOCKET=" + ready_name;
  std::vector<char*> env;
  for (char** e = environ; *e; ++e)
    if (std::strncmp(*e, "NOTIFY_SOCKET=", 14) != 0) env.push_back(*e);
  env.push_back(notify.data());
  env.push_back(nullptr);

  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  posix_spawn_file_actions_addclosefrom_np(&files, 3);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes,
                           static_cast<short>(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK));
  pid_t pid = 0;
  int error = ::posix_spawn(&pid, binary.c_str(), &files, &attributes, argv.data(), env.data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail_errno(error, binary);
  return pid;
}

// What it printed last, without the program's prefix.
Error why_it_ended(const config::Workspace& workspace, off_t log_start) {
  Error error{ErrorCode::failed, "the supervisor did not start", "try: fabric up"};
  Result<Fd> log = open_file(errors_path(workspace), O_RDONLY);
  if (!log || ::lseek(log->get(), log_start, SEEK_SET) < 0) return error;
  Result<std::string> text = read_all(log->get());
  if (!text) return error;
  static constexpr std::string_view k_prefix = "fabric: error: ";
  size_t at = text->rfind(k_prefix);
  if (at == std::string::npos) return error;
  std::string line = text->substr(at + k_prefix.size());
  error.message += ": " + line.substr(0, line.find('\n'));
  return error;
}

}  // namespace

Result<bool> start_supervisor(const config::Workspace& workspace,
                              const std::string& fabric_binary) {
  // A supervisor that was just killed holds its lock until the kernel has taken it apart.
  while (TRY(store::Ownership::holder(workspace.owner_path()))) {
    Client client = TRY(Client::open(workspace));
    if (client.ping()) return false;
  }
  ReadySocket ready = TRY(make_ready_socket());
  struct stat log {};
  off_t log_start = ::stat(errors_path(workspace).c_str(), &log) == 0 ? log.st_size : 0;
  pid_t child = TRY(spawn_supervisor(workspace, fabric_binary, ready.name));
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  const MonoTime deadline = system_clock().monotonic() + k_start_patience;
  for (;;) {
    int64_t left = (deadline - system_clock().monotonic()).to_millis();
    std::array<pollfd, 2> wait{{{ready.socket.get(), POLLIN, 0}, {pidfd.get(), POLLIN, 0}}};
    int n = ::poll(wait.data(), wait.size(), static_cast<int>(left > 0 ? left : 0));
    if (n < 0 && errno == EINTR) continue;
    if (n == 0)
      return fail(ErrorCode::timed_out, "the supervisor did not get ready",
                  "see " + workspace.supervisor_log());
    if (wait[0].revents != 0 && is_ready(ready.socket, child)) return true;
    if (wait[1].revents != 0) {
      ::waitpid(child, nullptr, 0);
      // Two commands may start one at the same moment; the other's serves as well.
      if (TRY(store::Ownership::holder(workspace.owner_path()))) return false;
      return fail(why_it_ended(workspace, log_start));
    }
  }
}

Status wait_for(const store::Store& store, const std::function<bool(const store::ReadTxn&)>& done,
                Duration patience) {
  Fd bell(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!bell) return fail_errno(errno, "inotify_init1");
  if (::inotify_add_watch(bell.get(), store.bell_path().c_str(), IN_MODIFY) < 0)
    return fail_errno(errno, store.bell_path());
  const MonoTime deadline = system_clock().monotonic() + patience;
  for (;;) {
    {
      store::ReadTxn txn = TRY(store.read());
      if (done(txn)) return {};
    }
    int timeout = -1;
    if (patience.ns != 0) {
      int64_t left = ((deadline - system_clock().monotonic()).ns + 999999) / 1000000;
      if (left <= 0) return fail(ErrorCode::timed_out, "not done within " + to_string(patience));
      timeout = static_cast<int>(std::min<int64_t>(left, 3600000));
    }
    pollfd wait{bell.get(), POLLIN, 0};
    ::poll(&wait, 1, timeout);
    char events[4096];
    while (::read(bell.get(), events, sizeof events) > 0) {
    }
  }
}

}  // namespace fabric
