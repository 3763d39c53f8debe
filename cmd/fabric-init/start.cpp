// SPDX-License-Identifier: Apache-2.0
// Starting an attempt: pipes, clone into the slot's leaf, seccomp, exec. The child shares our
// memory until it execs (clone_process.hpp), so what went wrong it simply writes down.
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "build.hpp"
#include "init.hpp"
#include "isolation/clone_process.hpp"
#include "limits.hpp"
#include "lookup.hpp"
#include "paths.hpp"
#include "processor.hpp"
#include "sys.hpp"

namespace fabric::init {

namespace {

struct Child {
  const Spec* spec;
  Slot* slot;
  char** argv;
  char** envp;
  const char* search;
  int stdio[3];
  int domain;                    // see enter_attempt_domain()
  int exec_error = ENOENT;       // the best so far: EACCES is better news
  const char* failed = nullptr;  // what, when it is not the exec
  int error = 0;                 // stays 0 when the exec succeeds: memory is shared until then
};

int child_fail(Child& child, const char* what) {
  child.failed = what;
  child.error = errno;
  return 127;
}

bool try_exec(const char* path, void* context) {
  auto& child = *static_cast<Child*>(context);
  execve(path, child.argv, child.envp);
  if (errno == ENOENT || errno == ENOTDIR) return true;
  child.exec_error = errno;
  return errno == EACCES;  // a later directory may have one that can be executed
}

// A process group of its own in the session that we were given, and the terminal's foreground one.
bool lead_terminal(int terminal) {
  if (setpgid(0, 0) < 0) return false;
  sigset_t all, before;
  sigfillset(&all);  // SIGTTOU is sent to who does this from the background
  sigprocmask(SIG_SETMASK, &all, &before);
  tcsetpgrp(terminal, getpid());
  return sigprocmask(SIG_SETMASK, &before, nullptr) == 0;
}

int run_child(void* context) {
  auto& child = *static_cast<Child*>(context);
  const Spec& spec = *child.spec;
  if (child.slot->leaf.tasks >= 0 && write(child.slot->leaf.tasks, "0", 1) != 1)
    return child_fail(child, "entering the memory group");
  for (uint32_t i = 0; i < spec.join_count; ++i)
    if (write(spec.joins[i], "0", 1) != 1) return child_fail(child, "entering a group");
  if (!enter_attempt_domain(child.domain)) return child_fail(child, "entering its Landlock domain");
  if (spec.has(wire::k_terminal) ? !lead_terminal(child.stdio[0]) : setsid() < 0)
    return child_fail(child, "setsid");
  for (int fd = 0; fd < 3; ++fd)
    if (dup2(child.stdio[fd], fd) < 0) return child_fail(child, "setting standard descriptors");
  const int socket = denial_socket();
  if (socket >= 0 && dup3(socket, 3, O_CLOEXEC) < 0) return child_fail(child, "keeping a socket");
  if (syscall(SYS_close_range, socket >= 0 ? 4 : 3, ~0U, 0) < 0)
    return child_fail(child, "closing descriptors");
  if (!set_task_limits(spec.head->limits)) return child_fail(child, "setting limits");
  if (spec.has(wire::k_one_shot)) leave_processor();
  umask(022);
  reset_signals();
  if (spec.head->filter_count != 0 && !install_filter(spec, socket >= 0 ? 3 : -1))
    return child_fail(child, "installing the system call filter");
  each_candidate(child.argv[0], child.search, try_exec, &child);
  child.error = child.exec_error;
  return 127;
}

// End of ours non-blocking; the task's end is not (it is another open file description).
bool make_pipe(int& ours, int& theirs, bool we_read) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return false;
  ours = ends[we_read ? 0 : 1];
  theirs = ends[we_read ? 1 : 0];
  return fcntl(ours, F_SETFL, O_NONBLOCK) == 0;
}

bool is_regular(int fd) {
  struct stat status;
  return fd < 0 || fstat(fd, &status) < 0 || S_ISREG(status.st_mode) || S_ISCHR(status.st_mode);
}

void not_started(Init& init, const StartMessage& message, int code, const char* what,
                 const char* name, int error) {
  wire::ExitRecord record{};
  record.attempt = message.attempt;
  record.reason = wire::k_not_started;
  record.exit_code = code;
  if (error != 0)
    snprintf(record.message, sizeof record.message, "%s%s%.80s: %s", what, *name ? ": " : "", name,
             strerror(error));
  else
    snprintf(record.message, sizeof record.message, "%s%s%.80s", what, *name ? ": " : "", name);
  record_exit(init, record);
}

// Splits text in place. False when the counts do not fit the text.
bool split(char* text, uint32_t size, uint32_t argc, uint32_t envc, char** strings) {
  char* end = text + size;
  for (uint32_t i = 0; i < argc + envc; ++i) {
    auto* nul = static_cast<char*>(memchr(text, 0, static_cast<size_t>(end - text)));
    if (nul == nullptr) return false;
    *strings++ = text;
    if (i + 1 == argc) *strings++ = nullptr;
    text = nul + 1;
  }
  *strings = nullptr;
  return text == end;
}

const char* variable(char** envp, const char* name) {
  size_t size = strlen(name);
  for (; *envp != nullptr; ++envp)
    if (strncmp(*envp, name, size) == 0 && (*envp)[size] == '=') return *envp + size + 1;
  return nullptr;
}

char* strings[wire::k_max_strings + wire::k_max_variables + 4];
alignas(16) char child_stack[256 << 10];

bool spawn(Init& init, Slot& slot, Child& child) {
  int pidfd = -1;
  CloneArguments arguments;
  arguments.flags = k_clone_vm | k_clone_vfork | k_clone_clear_sighand;
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<uint64_t>(child_stack);
  arguments.stack_size = sizeof child_stack;
  if (init.spec.has(wire::k_walls)) {
    arguments.flags |= k_clone_pidfd;
    arguments.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  }
  if (slot.leaf.directory >= 0) {
    arguments.flags |= k_clone_into_cgroup;
    arguments.cgroup = static_cast<uint64_t>(slot.leaf.directory);
  }
  const bool here = init.spec.has(wire::k_one_shot);
  if (here) stay_on_processor();
  long pid = clone_process(arguments, run_child, &child);
  if (here) leave_processor();
  slot.denials = take_listener();
  if (pid < 0) {
    child.failed = "starting a process";
    child.error = static_cast<int>(-pid);
    return false;
  }
  if (child.failed != nullptr || child.error != 0) {
    while (waitpid(static_cast<pid_t>(pid), nullptr, 0) < 0 && errno == EINTR) {
    }
    if (pidfd >= 0) close(pidfd);
    if (slot.denials >= 0) close(slot.denials);
    slot.denials = -1;
    return false;
  }
  slot.pid = static_cast<pid_t>(pid);
  slot.pidfd = pidfd;
  return true;
}

// Those of the spec win over those of the attempt.
char** add_variables(const Spec& spec, char** envp, char** end) {
  for (uint32_t i = 0; i < spec.head->mount_count; ++i) {
    if (spec.mounts[i].kind != wire::k_variable) continue;
    char* text = const_cast<char*>(spec.string(spec.mounts[i].source));
    const size_t name = static_cast<size_t>(strchrnul(text, '=') - text);
    char** at = envp;
    while (at != end && (strncmp(*at, text, name) != 0 || (*at)[name] != '=')) ++at;
    const bool room = end + 2 < strings + sizeof strings / sizeof *strings;
    if (at == end && room) *++end = nullptr;
    if (at != end) *at = text;
  }
  return end;
}

void begin(Init& init, uint32_t number, StartMessage& message) {
  Slot& slot = init.slots[number];
  const wire::StartHead& head = message.head;
  const bool worker = (head.flags & wire::k_worker) != 0;
  const bool direct = (head.flags & wire::k_direct) != 0;
  Child child{&init.spec,         &slot, strings, strings + head.argc + 1, nullptr, {-1, -1, -1},
              init.attempt_domain};
  char** end = add_variables(init.spec, child.envp, child.envp + head.envc);
  if (init.spec.has(wire::k_walls) && variable(child.envp, "HOME") == nullptr) {
    static char home[] = "HOME=/work";
    *end++ = home;
    *end = nullptr;
  }
  child.search = variable(child.envp, "PATH");
  if (child.search == nullptr) child.search = "";

  slot.worker = nullptr;
  if (worker && (slot.worker = new_worker(message.attempt)) == nullptr)
    return not_started(init, message, 126, "too many workers wait for acknowledgement", "", 0);
  slot.input = Input{};
  slot.output[0] = slot.output[1] = Output{};
  int theirs[3] = {-1, -1, -1};
  bool piped = direct || (make_pipe(slot.input.pipe, theirs[0], false) &&
                          make_pipe(slot.output[0].pipe, theirs[1], true) &&
                          make_pipe(slot.output[1].pipe, theirs[2], true));
  for (int i = 0; i < 3; ++i) child.stdio[i] = direct ? message.fds[i] : theirs[i];
  begin_measuring(slot.leaf);
  const Counters before = count(init.spec);
  if (!piped) {
    child.failed = "making pipes";
    child.error = errno;
  }
  bool started = piped && spawn(init, slot, child);
  for (int fd : theirs)
    if (fd >= 0) close(fd);
  if (!started) {
    close_streams(slot);
    if (slot.worker != nullptr) free_worker(*slot.worker);
    slot.worker = nullptr;
    if (child.failed != nullptr)
      return not_started(init, message, 126, child.failed, "", child.error);
    if (child.error == ENOENT)
      return not_started(init, message, 127, "command not found", child.argv[0], 0);
    return not_started(init, message, 126, "command cannot be executed", child.argv[0],
                       child.error);
  }

  slot.busy = true;
  slot.direct = direct;
  slot.attempt = message.attempt;
  slot.announce = (head.flags & wire::k_announce) != 0;
  slot.stop_signal = head.stop_signal > 0 && head.stop_signal < 65 ? head.stop_signal : SIGTERM;
  slot.grace = head.grace_ns;
  slot.deadline = head.deadline_ns > 0 ? head.deadline_ns : k_never;
  slot.kill_at = k_never;
  slot.limit_passed = wire::k_exited;
  slot.stopped = false;
  watch_progress(slot, worker ? 0 : message.no_progress);
  slot.note = "";
  slot.cpu_ns = slot.io_read_now = slot.io_written_now = 0;
  slot.throttled_before_ns = before.throttled_ns;
  slot.refused_before = before.pids_refused;
  publish_slot(init, number);
  if (slot.denials >= 0) watch(init, slot.denials, Source::denial, number, EPOLLIN);
  if (direct) return;  // the caller of start_attempt() closes our copies of its descriptors
  slot.input.file = message.fds[0];
  slot.input.regular = is_regular(message.fds[0]);
  if (message.fds[0] >= 0) {
    off_t at = lseek(message.fds[0], 0, SEEK_CUR);
    slot.input.offset = at > 0 ? at : 0;
  }
  for (int i = 0; i < 2; ++i) {
    slot.output[i].file = message.fds[i + 1];
    slot.output[i].regular = is_regular(message.fds[i + 1]);
    slot.output[i].limit = head.output_limit;
    struct stat status;
    if (worker && i == 1) {
      slot.output[i].rotate = true;
      if (message.fds[2] >= 0 && fstat(message.fds[2], &status) == 0 && status.st_size > 0)
        slot.output[i].in_file = static_cast<uint64_t>(status.st_size);
    }
    message.fds[i + 1] = -1;
  }
  message.fds[0] = -1;
  watch(init, slot.output[0].pipe, Source::output_pipe, number, EPOLLIN);
  watch(init, slot.output[1].pipe, Source::error_pipe, number, EPOLLIN);
  pump_input(init, number);
}

}  // namespace

void start_attempt(Init& init, StartMessage& message) {
  const wire::StartHead& head = message.head;
  for (uint32_t i = 0; i < init.slot_count(); ++i)
    if (init.slots[i].busy && init.slots[i].attempt == message.attempt) {
      init.slots[i].announce =
          (head.flags & wire::k_announce) != 0;  // asked again after a reconnection
      return;
    }
  if (PendingExit* known = find_exit(init, message.attempt)) {
    known->sent = false;
    return;
  }
  // A supervisor that acknowledges nothing gets nothing more; it is told everything on
  // reconnecting.
  if (journal_full(init)) return lose_connection(init);
  if (head.slot >= init.slot_count()) return not_started(init, message, 126, "no such slot", "", 0);
  if (init.slots[head.slot].busy) return not_started(init, message, 126, "the slot is busy", "", 0);
  if (init.shutting_down)
    return not_started(init, message, 126, "the sandbox is shutting down", "", 0);
  if (head.argc == 0 || !split(message.text, head.text_size, head.argc, head.envc, strings))
    return not_started(init, message, 126, "malformed request", "", 0);
  if (const char* path = lost_protection(init.spec)) {
    // Only a new sandbox can protect it again; the supervisor makes one when this has ended.
    for (uint32_t i = 0; i < init.slot_count(); ++i)
      if (init.slots[i].busy)
        return not_started(init, message, 126,
                           "replaced from outside while another task ran, so not protected", path,
                           0);
    _exit(0);
  }
  begin(init, head.slot, message);
}

}  // namespace fabric::init
