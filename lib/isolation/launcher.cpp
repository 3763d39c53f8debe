// SPDX-License-Identifier: Apache-2.0
#include "isolation/launcher.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

#include "isolation/clone_process.hpp"
#include "isolation/namespace_refusal.hpp"
#include "isolation/process_identity.hpp"

namespace fabric {

namespace {

constexpr size_t k_stack_size = size_t{16} << 10;
constexpr int k_setup_fd = 3;
constexpr int k_binary_fd = 4;
// A sanitizer's books are in memory of the thread, in which the child would write meanwhile.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool k_always_wait = true;
#else
constexpr bool k_always_wait = false;
#endif

}  // namespace

// Everything the child needs, made before the clone.
struct Launching {
  Launch launch;
  std::string uid_map, gid_map;
  // A pipe: one byte says that our maker has written the maps, the end that it could not.
  int mapped = -1, mapped_write = -1;
  bool exec = true;
  const char* failed = nullptr;  // written by the child: memory is shared
  int error = 0;
  std::optional<NamespaceStep> step;  // of `failed`, when it was about namespaces
  alignas(16) std::array<char, k_stack_size> stack;
};

namespace {

int child_fail(Launching& child, const char* what) {
  child.error = errno;
  child.failed = what;
  return 1;
}

bool write_proc(const char* path, const std::string& text) {
  int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool ok = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  return ok;
}

// In a new user namespace we hold all capabilities, but exec drops those of a uid that is not 0
// there unless they are ambient.
bool keep_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
  for (auto& part : data) part.inheritable = part.permitted;
  if (::syscall(SYS_capset, &header, data.data()) != 0) return false;
  for (unsigned capability = 0; capability < 64; ++capability) {
    const unsigned bit = data[capability / 32].permitted >> (capability % 32) & 1U;
    if (bit != 0 && ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0)
      return false;
  }
  return true;
}

// Our ids are mapped by the one that made us. Becoming 0 gives all capabilities at exec.
bool become_mapped_root(const Launching& child) {
  char byte = 0;
  ::close(child.mapped_write);
  if (::read(child.mapped, &byte, 1) != 1) {
    errno = EPERM;
    return false;
  }
  // Raw calls: those of libc would change the ids of all threads whose memory we share.
  return ::syscall(SYS_setgroups, 0, nullptr) == 0 && ::syscall(SYS_setresgid, 0, 0, 0) == 0 &&
         ::syscall(SYS_setresuid, 0, 0, 0) == 0;
}

int run_child(void* pointer) {
  Launching& child = *static_cast<Launching*>(pointer);
  const Launch& launch = child.launch;
  if (launch.join != nullptr)
    for (const Fd& tasks : *launch.join)
      if (::write(tasks.get(), "0", 1) != 1) return child_fail(child, "entering a cgroup");
  if (launch.user_namespace) {
    child.step = NamespaceStep::id_map;
    if (!write_proc("/proc/self/setgroups", "deny"))
      return child_fail(child, "writing setgroups of a new user namespace");
    if (!write_proc("/proc/self/uid_map", child.uid_map) ||
        !write_proc("/proc/self/gid_map", child.gid_map))
      return child_fail(child, "writing the id map of a new user namespace");
    child.step = NamespaceStep::capabilities;
    if (!keep_capabilities()) return child_fail(child, "keeping capabilities");
    if (!child.exec && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      return child_fail(child, "changing mounts in a new user namespace");
    child.step.reset();
  }
  if (child.mapped >= 0) {
    child.step = NamespaceStep::id_map;
    if (!become_mapped_root(child)) return child_fail(child, "mapping a range of ids");
    child.step.reset();
  }
  if (!child.exec) return 0;
  for (int fd = 0; fd < 3; ++fd)
    if (::dup2(launch.dev_null, fd) < 0) return child_fail(child, "dup2");
  // The caller made both descriptors larger than 4.
  if (::dup2(launch.setup, k_setup_fd) < 0 || ::dup3(launch.binary, k_binary_fd, O_CLOEXEC) < 0 ||
      ::syscall(SYS_close_range, k_binary_fd + 1, ~0U, 0) != 0)
    return child_fail(child, "arranging descriptors");
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  char network[] = "network";
  char* argv[] = {const_cast<char*>(launch.name), launch.network_later ? network : nullptr,
                  nullptr};
  char* envp[] = {nullptr};
  ::syscall(SYS_execveat, k_binary_fd, "", argv, envp, AT_EMPTY_PATH);
  return child_fail(child, "executing it");
}

std::string map_line(const IdSpan& ids) {
  return std::to_string(ids.inside) + " " + std::to_string(ids.outside) + " " +
         std::to_string(ids.count) + "\n";
}

struct Pipe {
  Fd read, write;
};
Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "making a pipe");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

// Where it fails the child reads the end of the pipe, and says so.
void map_range(pid_t pid, const IdSpan& ids, Pipe& mapped) {
  const std::string directory = "/proc/" + std::to_string(pid);
  const std::string line = map_line(ids);
  if (write_proc((directory + "/uid_map").c_str(), line) &&
      write_proc((directory + "/gid_map").c_str(), line))
    (void)::write(mapped.write.get(), "m", 1);
  mapped.write.reset();
}

// Of a pipe whose other end closes shortly before the child execs, or when it ends: until then it
// uses our memory, and errno with it, which neither of us looks at but right after a failure of its
// own.
void await_end_of(const Fd& pipe) {
  char byte = 0;
  while (::read(pipe.get(), &byte, 1) < 0 && errno == EINTR) {
  }
}

Error why(const Launching& child) {
  if (child.step) return namespace_refusal(*child.step, child.failed, child.error);
  return fail_errno(child.error, std::string(child.launch.name) + ": " + child.failed).value();
}

Result<Launched> clone_child(const std::shared_ptr<Launching>& shared) {
  Launching& child = *shared;
  const Launch& launch = child.launch;
  int pidfd = -1;
  CloneArguments arguments;
  arguments.flags = k_clone_vm | k_clone_pidfd | k_clone_clear_sighand;
  if (k_always_wait || !launch.network_later) arguments.flags |= k_clone_vfork;
  if (launch.namespaces) arguments.flags |= CLONE_NEWNS | CLONE_NEWPID;
  if (launch.namespaces && !launch.network_later)
    arguments.flags |= CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
  if (launch.user_namespace) {
    arguments.flags |= CLONE_NEWUSER;
    const uint32_t uid = ::geteuid(), gid = ::getegid();
    child.uid_map = map_line({launch.own_uid.value_or(uid), uid, 1});
    child.gid_map = map_line({launch.own_gid.value_or(gid), gid, 1});
  }
  if (launch.into_cgroup >= 0) {
    arguments.flags |= k_clone_into_cgroup;
    arguments.cgroup = static_cast<uint64_t>(launch.into_cgroup);
  }
  arguments.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<uint64_t>(child.stack.data());
  arguments.stack_size = child.stack.size();
  // Who has to write the maps of its child cannot wait in clone3 until it execs.
  Pipe map, exec;
  if (launch.range) {
    map = TRY(make_pipe());
    exec = TRY(make_pipe());
    child.mapped = map.read.get();
    child.mapped_write = map.write.get();
    arguments.flags |= CLONE_NEWUSER;
    arguments.flags &= ~k_clone_vfork;
  }
  const long pid = clone_process(arguments, run_child, &child);
  if (launch.range && pid > 0) {
    exec.write.reset();
    map_range(static_cast<pid_t>(pid), *launch.range, map);
    await_end_of(exec.read);
  }
  if (pid < 0) {
    const int error = static_cast<int>(-pid);
    if (!launch.namespaces) return fail_errno(error, "making a process");
    return fail(
        namespace_refusal(NamespaceStep::clone, "making a process in new namespaces", error));
  }
  Launched launched{static_cast<pid_t>(pid), Fd(pidfd), nullptr};
  // Without vfork it may still run on its stack, which is in there: also one that has closed its
  // end of the pipe, for that comes before exec.
  if (launch.network_later || launch.range) launched.launching = shared;
  if (launch.network_later) return launched;
  if (child.failed == nullptr && child.exec) return launched;
  (void)wait_for_end(launched.pidfd, Duration::seconds(10));
  if (child.failed != nullptr) return fail(why(child));
  return launched;
}

// make_shared would write zeroes over the whole stack.
std::shared_ptr<Launching> new_launching() {
  return std::shared_ptr<Launching>(new Launching);  // NOLINT(cppcoreguidelines-owning-memory)
}

}  // namespace

std::optional<Error> Launched::failure() const {
  if (!launching || !wait_for_end(pidfd, Duration::seconds(10))) return std::nullopt;
  return launching->failed != nullptr ? std::optional(why(*launching)) : std::nullopt;
}

Result<Launched> launch(const Launch& launch) {
  auto child = new_launching();
  child->launch = launch;
  return clone_child(child);
}

Status probe_namespaces(bool user_namespace) {
  auto child = new_launching();
  child->launch.namespaces = true;
  child->launch.user_namespace = user_namespace;
  child->exec = false;
  TRY_STATUS(clone_child(child).map([](const Launched&) {}));
  return {};
}

}  // namespace fabric
