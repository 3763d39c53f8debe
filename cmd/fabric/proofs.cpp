// SPDX-License-Identifier: Apache-2.0
#include "fabric/proofs.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>

#include "base/fd.hpp"
#include "base/size.hpp"
#include "model/limits.hpp"

namespace fabric::cmd {

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::holds:
      return "holds";
    case Verdict::broken:
      return "broken";
    case Verdict::unproven:
      return "unproven";
  }
  return "unproven";
}

namespace {

constexpr int k_pids = 20;
constexpr const char* k_secret = "proof-of-a-secret";

// What a sandbox must not reach, made for the occasion.
struct Canaries {
  std::string directory;  // with the file `secret`, which anybody may read, and `work`
  Fd tcp, abstract;
  int port = 0;
  std::string abstract_name;

  Canaries() = default;
  Canaries(Canaries&&) = default;
  ~Canaries() {
    std::error_code ignored;
    if (!directory.empty()) std::filesystem::remove_all(directory, ignored);
  }
};

Result<Fd> listening(const sockaddr* address, socklen_t size) {
  Fd fd(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || ::bind(fd.get(), address, size) != 0 || ::listen(fd.get(), 8) != 0)
    return fail_errno(errno, "making a listener to be found");
  return fd;
}

Result<Canaries> make_canaries(const std::string& binary) {
  Canaries made;
  std::string name = (std::filesystem::temp_directory_path() / "fabric-doctor-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return fail_errno(errno, name);
  made.directory = name;
  ::chmod(name.c_str(), 0755);
  if (::mkdir((name + "/work").c_str(), 0755) != 0) return fail_errno(errno, name + "/work");
  const Fd secret = TRY(open_file(name + "/secret", O_WRONLY | O_CREAT | O_EXCL, 0666));
  ::fchmod(secret.get(), 0666);
  TRY_STATUS(write_all(secret.get(), k_secret));
  const Fd from = TRY(open_file(binary, O_RDONLY));
  const Fd to = TRY(open_file(name + "/work/prove", O_WRONLY | O_CREAT | O_EXCL, 0755));
  while (const ssize_t moved = ::sendfile(to.get(), from.get(), nullptr, size_t{1} << 30))
    if (moved < 0 && errno != EINTR) return fail_errno(errno, "copying " + binary);

  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  made.tcp = TRY(listening(reinterpret_cast<const sockaddr*>(&address), sizeof address));
  socklen_t size = sizeof address;
  ::getsockname(made.tcp.get(), reinterpret_cast<sockaddr*>(&address), &size);
  made.port = ntohs(address.sin_port);
  made.abstract_name = "fabric-doctor-" + std::to_string(::getpid());
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  std::memcpy(local.sun_path + 1, made.abstract_name.c_str(), made.abstract_name.size());
  made.abstract = TRY(listening(
      reinterpret_cast<const sockaddr*>(&local),
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + made.abstract_name.size())));
  return made;
}

struct Output {
  int code = 0;
  std::string text, error;
};

Result<Output> run_program(const std::vector<std::string>& words) {
  std::array<int, 2> out{}, err{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
  Fd out_read(out[0]), out_write(out[1]);
  if (::pipe2(err.data(), O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
  Fd err_read(err[0]), err_write(err[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out_write.get(), 1);
  ::posix_spawn_file_actions_adddup2(&actions, err_write.get(), 2);
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail_errno(error, words[0]);
  out_write.reset();
  err_write.reset();
  Output output;
  output.text = TRY(read_all(out_read.get(), size_t{1} << 20));
  output.error = TRY(read_all(err_read.get(), size_t{1} << 20));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  output.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return output;
}

// Lines of prove_inside(): name -> "open" or "closed" or "value", and the detail.
using Answers = std::map<std::string, std::pair<std::string, std::string>>;

Answers answers_of(const std::string& text) {
  Answers answers;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    const size_t space = line.find(' '), tab = line.find('\t');
    if (space < tab && tab != std::string::npos)
      answers[line.substr(0, space)] = {line.substr(space + 1, tab - space - 1),
                                        line.substr(tab + 1)};
    at = end + 1;
  }
  return answers;
}

struct Prevented {
  const char* name;
  const char* rule;
};
constexpr Prevented k_prevented[] = {
    {"read-file", "files of the host that were not handed over cannot be read"},
    {"write-file", "files of the host that were not handed over cannot be written"},
    {"write-system", "/usr is read-only"},
    {"write-etc", "/etc is read-only"},
    {"mount", "nothing can be mounted"},
    {"connect-loopback", "no network: listeners on the host's loopback are not reached"},
    {"connect-abstract", "no network: abstract sockets of the host are not reached"},
    {"socket-packet", "no packet sockets"},
    {"socket-vsock", "no vsock sockets"},
    {"socket-mptcp", "no MPTCP"},
    {"signal-process", "processes of the host are not there"},
    {"user-namespace", "no user namespaces inside"},
    {"network-namespace", "no network namespaces inside"},
    {"io-uring", "no io_uring"},
    {"keyring", "no keyrings"},
    {"landlock-room", "files have a second wall, Landlock"},
};

Proof prevented(const Prevented& promise, const Answers& inside, const Answers& outside) {
  Proof proof{promise.name, promise.rule, Verdict::unproven, "it was not tried"};
  const auto in = inside.find(promise.name), out = outside.find(promise.name);
  if (in == inside.end() || out == outside.end()) return proof;
  proof.detail = "inside: " + in->second.second;
  if (in->second.first == "open")
    proof.verdict = Verdict::broken;
  else if (out->second.first == "open")
    proof.verdict = Verdict::holds;
  else
    proof.detail += "; but outside too: " + out->second.second;
  return proof;
}

Proof equal(const Answers& inside, const char* name, const std::string& rule,
            const std::string& wanted) {
  const auto in = inside.find(name);
  if (in == inside.end()) return {name, rule, Verdict::unproven, "it was not tried"};
  const bool same = in->second.second == wanted;
  return {name, rule, same ? Verdict::holds : Verdict::broken,
          same ? "inside: " + wanted : "inside: " + in->second.second + ", not " + wanted};
}

// A limit may be lower than asked for where our own is.
Proof at_most(const Answers& inside, const char* name, const std::string& rule, uint64_t most) {
  Proof proof = equal(inside, name, rule, std::to_string(most));
  const auto in = inside.find(name);
  if (proof.verdict != Verdict::broken || in->second.second == "any") return proof;
  const std::string& text = in->second.second;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > most) return proof;
  return {name, rule, Verdict::holds, "inside: " + text + ", as our own limit is no higher"};
}

class Prover {
 public:
  Prover(const std::string& binary, const HostFeatures& features, const Canaries& canaries)
      : binary_(binary), features_(features), canaries_(canaries) {}

  Result<std::vector<Proof>> all() {
    const Output inside = TRY(run_inside());
    if (inside.code != 0 || inside.text.empty())
      return fail(ErrorCode::failed, "the sandbox for the proofs: exit code " +
                                         std::to_string(inside.code) + ": " + inside.error);
    const Output outside = TRY(run_program(tries(binary_, 0)));
    const Answers in = answers_of(inside.text), out = answers_of(outside.text);
    for (const Prevented& promise : k_prevented) proofs_.push_back(prevented(promise, in, out));
    add_values(in);
    add_limits(in);
    if (features_.memory) TRY_STATUS(add_memory());
    TRY_STATUS(add_container());
    return std::move(proofs_);
  }

 private:
  [[nodiscard]] std::vector<std::string> tries(const std::string& program, int forks) const {
    return {program,
            "__prove",
            canaries_.directory,
            std::to_string(canaries_.port),
            canaries_.abstract_name,
            std::to_string(::getpid()),
            std::to_string(forks)};
  }

  [[nodiscard]] std::vector<std::string> sandbox(const std::string& memory) const {
    std::vector<std::string> words{binary_,     "sandbox", "run",
                                   "--degrade", "--work",  canaries_.directory + "/work"};
    auto limit = [&](const char* option, bool possible, const std::string& value) {
      words.insert(words.end(), {option, possible ? value : "none"});
    };
    limit("--memory", features_.memory, memory);
    limit("--cpu", features_.cpu, "1");
    limit("--pids", features_.pids, std::to_string(k_pids));
    return words;
  }

  [[nodiscard]] Result<Output> run_inside() const {
    std::vector<std::string> words = sandbox("64M");
    const std::string secret = "proof=file:" + canaries_.directory + "/secret";
    words.insert(words.end(), {"--secret", secret, "--"});
    for (const std::string& word : tries("/work/prove", features_.pids ? 3 * k_pids : 0))
      words.push_back(word);
    return run_program(words);
  }

  void add_values(const Answers& in) {
    const auto work = in.find("work-writable");
    const bool writable = work != in.end() && work->second.first == "open";
    proofs_.push_back({"work-writable", "/work can be written",
                       writable ? Verdict::holds : Verdict::broken,
                       work == in.end() ? "it was not tried" : "inside: " + work->second.second});
    proofs_.push_back(equal(in, "environment", "the environment is clean", "clean"));
    proofs_.push_back(
        equal(in, "capabilities", "no capability in any set", "0000000000000000 0000000000000000"));
    proofs_.push_back(equal(in, "no-new-privs", "no new privileges by exec", "1"));
    proofs_.push_back(equal(in, "seccomp", "system calls are filtered", "2"));
    proofs_.push_back(equal(in, "descriptors", "descriptors 0, 1, 2 and no other", "3"));
    proofs_.push_back(equal(in, "secret", "a secret is in /run/secrets", k_secret));
    Proof uid = equal(in, "uid", "not root", "0");
    uid.verdict = uid.verdict == Verdict::broken ? Verdict::holds : Verdict::broken;
    uid.detail = in.contains("uid") ? "inside: " + in.at("uid").second : uid.detail;
    proofs_.push_back(uid);
  }

  void add_limits(const Answers& in) {
    const Limits limits;
    const uint64_t tmp = features_.memory ? uint64_t{32} << 20 : uint64_t{1} << 30;
    proofs_.push_back(equal(in, "core", "no core files", "0"));
    proofs_.push_back(
        at_most(in, "nofile", "--nofile " + std::to_string(limits.nofile), limits.nofile));
    proofs_.push_back(at_most(in, "file-size",
                              "--file-size " + size_to_string(limits.file_size_bytes),
                              limits.file_size_bytes));
    proofs_.push_back(
        equal(in, "tmp-bytes", "/tmp holds " + size_to_string(tmp), std::to_string(tmp)));
    if (features_.pids)  // the one that counts is one of them
      proofs_.push_back(
          equal(in, "forks", "--pids " + std::to_string(k_pids), std::to_string(k_pids - 1)));
  }

  Status add_memory() {
    std::vector<std::string> words = sandbox("32M");
    words.insert(words.end(), {"--", "/work/prove", "__prove", "memory"});
    const Output output = TRY(run_program(words));
    const bool killed = output.code == 137 && output.error.find("--memory") != std::string::npos;
    proofs_.push_back({"memory", "--memory 32M", killed ? Verdict::holds : Verdict::broken,
                       killed ? "256M were refused, and it was said"
                              : "exit code " + std::to_string(output.code) + " " + output.error});
    return {};
  }

  // A root file system with nothing but this program, which runs there and finds no other.
  Status add_container() {
    const std::string root = canaries_.directory + "/root";
    std::error_code error;
    std::filesystem::create_directories(root + "/bin", error);
    if (!error)
      std::filesystem::create_hard_link(canaries_.directory + "/work/prove", root + "/bin/prove",
                                        error);
    if (error) return fail(ErrorCode::failed, root + ": " + error.message());
    auto run = [&](const std::string& program) {
      std::vector<std::string> words{binary_,  "sandbox", "run",    "--degrade",
                                     "--work", "none",    "--root", root};
      for (const char* limit : {"--memory", "--cpu", "--pids"})
        words.insert(words.end(), {limit, "none"});
      words.insert(words.end(), {"--", program, "version"});
      return run_program(words);
    };
    const Output own = TRY(run("/bin/prove"));
    const Output other = TRY(run("/bin/sh"));
    const bool holds = own.code == 0 && other.code == 127;
    // 9: what is lacking here is said; nothing was promised.
    proofs_.push_back({"container", "--root DIRECTORY is the root",
                       holds           ? Verdict::holds
                       : own.code == 9 ? Verdict::unproven
                                       : Verdict::broken,
                       holds           ? "its program ran, /bin/sh was not there"
                       : own.code != 0 ? own.error.substr(0, own.error.find('\n'))
                                       : "/bin/sh of the host was there"});
    return {};
  }

  const std::string& binary_;
  const HostFeatures& features_;
  const Canaries& canaries_;
  std::vector<Proof> proofs_;
};

}  // namespace

Result<std::vector<Proof>> prove_sandbox(const std::string& binary, const HostFeatures& features) {
  const Canaries canaries = TRY(make_canaries(binary));
  ::setenv("FABRIC_DOCTOR_CANARY", k_secret, 1);
  return Prover(binary, features, canaries).all();
}

}  // namespace fabric::cmd
