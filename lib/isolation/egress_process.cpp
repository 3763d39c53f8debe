// SPDX-License-Identifier: Apache-2.0
#include "isolation/egress_process.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <vector>

#include "isolation/control_socket.hpp"
#include "model/egress_wire.hpp"
#include "model/sandbox_rules.hpp"

namespace fabric {
namespace {

std::vector<std::string> arguments_of(const EgressStart& how) {
  std::vector<std::string> arguments{"fabric-egress", "--owner", std::to_string(::geteuid())};
  auto add = [&arguments](const char* option, const std::string& value) {
    arguments.emplace_back(option);
    arguments.push_back(value);
  };
  if (::geteuid() == 0) add("--user", std::to_string(k_egress_uid));
  if (!how.hosts_file.empty()) add("--hosts", how.hosts_file);
  if (!how.authorities.empty()) add("--authorities", how.authorities);
  return arguments;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> list;
  for (std::string& text : strings) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

// Above the numbers that the new process gets, which may be free here.
Result<Fd> above(const Fd& fd) {
  Fd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 10));
  if (!copy) return fail_errno(errno, "duplicating a descriptor");
  return copy;
}

Status check_binary(const std::string& binary) {
  if (::access(binary.c_str(), X_OK) == 0) return {};
  return fail(ErrorCode::unavailable, "fabric-egress not found at " + binary,
              "install fabric again: it belongs to /usr/libexec/fabric");
}

// `socket` becomes its descriptor 3, `log` its stderr; what it is left besides it closes itself.
Result<EgressProcess> spawn(const std::string& binary, std::vector<std::string> arguments,
                            std::vector<std::string> environment, const Fd& socket, const Fd& log) {
  const Fd listen = TRY(above(socket)), error_log = TRY(above(log));
  std::vector<char*> argv = pointers(arguments), env = pointers(environment);

  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&files, error_log.get(), 2);
  posix_spawn_file_actions_adddup2(&files, listen.get(), wire::k_egress_listen_fd);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(
      &attributes,
      static_cast<short>(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  EgressProcess process;
  const int error =
      ::posix_spawn(&process.pid, binary.c_str(), &files, &attributes, argv.data(), env.data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail_errno(error, binary);
  process.pidfd = Fd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  return process;
}

const char* const k_environment[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8"};

}  // namespace

std::string egress_binary_beside(const std::string& init_binary) {
  const std::string directory = init_binary.substr(0, init_binary.rfind('/'));
  const std::string installed = directory + "/fabric-egress";
  const std::string built = directory + "/../fabric-egress/fabric-egress";
  return ::access(installed.c_str(), X_OK) != 0 && ::access(built.c_str(), X_OK) == 0 ? built
                                                                                      : installed;
}

Result<EgressProcess> start_egress(const EgressStart& how) {
  TRY_STATUS(check_binary(how.binary));
  const Fd listener = TRY(listen_at(how.socket));
  const Fd log = TRY(open_file(how.log, O_WRONLY | O_CREAT | O_APPEND, 0600));
  std::vector<std::string> environment(std::begin(k_environment), std::end(k_environment));
  environment.push_back("FABRIC_WORKSPACE=" + how.workspace);
  return spawn(how.binary, arguments_of(how), std::move(environment), listener, log);
}

Result<PrivateEgress> start_private_egress(const EgressStart& how) {
  TRY_STATUS(check_binary(how.binary));
  PrivateEgress made;
  auto [ours, theirs] = TRY(make_socket_pair());
  made.said = Fd(::memfd_create("egress", MFD_CLOEXEC));
  if (!made.said) return fail_errno(errno, "memfd_create");
  std::vector<std::string> arguments = arguments_of(how);
  arguments.emplace_back("--private");
  made.process =
      TRY(spawn(how.binary, std::move(arguments),
                {std::begin(k_environment), std::end(k_environment)}, theirs, made.said));
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  made.connection = std::move(ours);
  return made;
}

Result<Fd> listen_for(const std::string& publish_rule) {
  const PublishRule rule = TRY(parse_publish_rule(publish_rule));
  sockaddr_in6 six{};
  sockaddr_in four{};
  const bool is_six = rule.address.find(':') != std::string::npos;
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(rule.host_port);
  four.sin_family = AF_INET;
  four.sin_port = htons(rule.host_port);
  if (::inet_pton(is_six ? AF_INET6 : AF_INET, rule.address.c_str(),
                  is_six ? static_cast<void*>(&six.sin6_addr) : &four.sin_addr) != 1)
    return fail(ErrorCode::usage, "publish " + publish_rule + ": not an address");
  Fd socket(::socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int one = 1;
  const auto* address =
      is_six ? reinterpret_cast<sockaddr*>(&six) : reinterpret_cast<sockaddr*>(&four);
  if (!socket || ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
      ::bind(socket.get(), address, is_six ? sizeof six : sizeof four) != 0 ||
      ::listen(socket.get(), 1024) != 0)
    return fail_errno(errno, "publish " + publish_rule);
  return socket;
}

}  // namespace fabric
