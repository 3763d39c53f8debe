// SPDX-License-Identifier: Apache-2.0
// Denied system calls. The filter lets who makes one wait for our answer (seccomp_unotify(2)); it
// is the errno that the policy says, at once, and the supervisor is told what happened. What is
// allowed never comes here.
//
// An agent that does nothing else than forbidden calls must not get more of us than its share: a
// few are answered a round of the loop, equal ones are counted, and a record is told once a second.
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include "init.hpp"
#include "isolation/bpf_run.hpp"
#include "learn.hpp"
#include "sys.hpp"

namespace fabric::init {

namespace {

constexpr uint32_t k_result_mask = 0xffff0000;  // linux/seccomp.h
constexpr uint32_t k_result_errno = 0x00050000;
constexpr uint32_t k_result_notify = 0x7fc00000;
constexpr uint32_t k_result_trace = 0x7ff00000;
constexpr uint32_t k_continue = 1;
constexpr unsigned k_set_filter = 1, k_new_listener = 8, k_wait_killable = 32;
constexpr size_t k_most_instructions = 4096;
constexpr int k_answers_a_round = 32, k_answers_while_learning = 1024;

struct Notification {  // struct seccomp_notif
  uint64_t id;
  uint32_t pid, flags;
  SystemCall call;
};
struct Answer {  // struct seccomp_notif_resp
  uint64_t id;
  int64_t value;
  int32_t error;
  uint32_t flags;
};
constexpr unsigned long k_receive = _IOWR('!', 0, Notification);
constexpr unsigned long k_answer = _IOWR('!', 1, Answer);
constexpr unsigned long k_still_waits = _IOW('!', 2, uint64_t);

// As the spec has it, with the results that the kernel is to act upon.
constexpr size_t k_most_before = 16;
wire::Instruction notifying[k_most_before + k_most_instructions], silent[k_most_instructions];
size_t before = 0;          // instructions of ours in front
int sockets[2] = {-1, -1};  // of init, of the process of a task

int control(int listener, unsigned long request, void* argument) {
  return ioctl(listener, static_cast<int>(request), argument);
}

struct Program {
  unsigned short size;
  const wire::Instruction* filter;
};

int32_t error_of(const Spec& spec, uint32_t rule) {
  return rule < spec.head->denial_count ? spec.denials[rule].error : EPERM;
}

bool goes_on(const Spec& spec, uint32_t rule) {
  return rule < spec.head->denial_count && spec.denials[rule].report == wire::k_goes_on;
}

// The process of a task executes its command while we wait for that: then nobody answers. It is
// known by the place of its arguments, which are in our memory. An agent that makes up the same
// number gets an execve() that is not noted.
void let_start(char** arguments) {
  const auto at = reinterpret_cast<uint64_t>(arguments);
  constexpr uint32_t k_allow = 0x7fff0000, k_x86_64 = 0xc000003e;
  const wire::Instruction program[] = {
      {bpf::k_load_word, 0, 0, 4},
      {bpf::k_jump_equal, 0, 7, k_x86_64},
      {bpf::k_load_word, 0, 0, 0},
      {bpf::k_jump_equal, 0, 5, SYS_execve},
      {bpf::k_load_word, 0, 0, 24},  // the lower half of the second argument
      {bpf::k_jump_equal, 0, 3, static_cast<uint32_t>(at)},
      {bpf::k_load_word, 0, 0, 28},
      {bpf::k_jump_equal, 0, 1, static_cast<uint32_t>(at >> 32)},
      {bpf::k_return, 0, 0, k_allow},
  };
  before = sizeof program / sizeof *program;
  memcpy(notifying, program, sizeof program);
}

// Of one command nobody is there to be told.
bool reported(const Spec& spec, uint32_t rule) {
  return rule < spec.head->denial_count && spec.denials[rule].report == 1 &&
         !spec.has(wire::k_one_shot);
}

bool send_listener(int socket, int listener) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(rights), &listener, sizeof listener);
  return sendmsg(socket, &message, 0) == 1;
}

int receive_listener(int socket) {
  char byte;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1) return -1;
  int listener = -1;
  const cmsghdr* rights = CMSG_FIRSTHDR(&message);
  if (rights != nullptr && rights->cmsg_type == SCM_RIGHTS &&
      rights->cmsg_len == CMSG_LEN(sizeof(int)))
    memcpy(&listener, CMSG_DATA(rights), sizeof listener);
  return listener;
}

void read_name(char* name, size_t size, uint32_t pid) {
  char path[40];
  snprintf(path, sizeof path, "/proc/%u/comm", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t got = fd >= 0 ? read(fd, name, size - 1) : 0;
  if (fd >= 0) close(fd);
  if (got > 0 && name[got - 1] == '\n') --got;
  name[got > 0 ? got : 0] = 0;
}

bool same(const Denial& denial, const wire::ViolationRecord& record, uint32_t rule) {
  return denial.rule == rule && denial.record.attempt == record.attempt &&
         denial.record.call == record.call &&
         memcmp(denial.record.arguments, record.arguments, sizeof record.arguments) == 0;
}

// Null when all are in use: each for a second at least, so that is how many are told a second at
// most. The agent does nothing else then, and what it does is known.
Denial* free_denial(Init& init) {
  const int64_t now = monotonic_ns();
  for (Denial& denial : init.denials)
    if (denial.record.count == 0 && denial.due <= now) return &denial;
  return nullptr;
}

void note(Init& init, const Slot& slot, Notification& said, uint32_t rule) {
  wire::ViolationRecord record{};
  record.attempt = slot.attempt;
  record.call = said.call.number;
  for (int i = 0; i < 6; ++i)
    if ((init.spec.denials[rule].arguments & (1U << i)) != 0)
      record.arguments[i] = said.call.arguments[i];
  for (Denial& denial : init.denials)
    if (same(denial, record, rule)) {
      ++denial.record.count;
      return;
    }
  Denial* denial = free_denial(init);
  if (denial == nullptr) return;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  record.at_us = int64_t{now.tv_sec} * 1000000 + now.tv_nsec / 1000;
  record.pid = static_cast<int32_t>(said.pid);
  record.error = error_of(init.spec, rule);
  record.count = 1;
  snprintf(record.rule, sizeof record.rule, "%s", init.spec.string(init.spec.denials[rule].name));
  read_name(record.process, sizeof record.process, said.pid);
  // Only now is it sure that the name is not that of a successor with the same number.
  if (control(slot.denials, k_still_waits, &said.id) < 0) record.process[0] = 0;
  *denial = {record, rule, 0};
}

// False: nobody waits any more.
bool answer_one(Init& init, Slot& slot) {
  Notification said{};
  if (control(slot.denials, k_receive, &said) < 0) return errno == EINTR || errno == ENOENT;
  const uint32_t result = run_bpf(init.spec.filter, init.spec.head->filter_count, said.call);
  const uint32_t rule = (result & k_result_mask) == k_result_trace ? result & 0xffff : ~0U;
  if (goes_on(init.spec, rule)) {
    const int error = learn_call(init.spec, slot, said.pid, said.call);
    Answer go_on{said.id, 0, -error, error == 0 ? k_continue : 0};
    control(slot.denials, k_answer, &go_on);
    return true;
  }
  if (reported(init.spec, rule)) note(init, slot, said, rule);
  Answer answer{said.id, 0, -error_of(init.spec, rule), 0};
  control(slot.denials, k_answer, &answer);  // ENOENT: it was killed meanwhile
  return true;
}

}  // namespace

void prepare_filter(const Spec& spec, char** arguments) {
  bool any = false;
  if (learns(spec)) let_start(arguments);
  for (uint32_t i = 0; i < spec.head->filter_count && i < k_most_instructions; ++i) {
    wire::Instruction& notified = notifying[before + i];
    notified = silent[i] = spec.filter[i];
    const wire::Instruction& from = spec.filter[i];
    if (from.code != bpf::k_return || (from.k & k_result_mask) != k_result_trace) continue;
    const uint32_t rule = from.k & 0xffff;
    silent[i].k = k_result_errno | static_cast<uint32_t>(error_of(spec, rule));
    const bool told = reported(spec, rule) || goes_on(spec, rule);
    notified.k = told ? k_result_notify : silent[i].k;
    any = any || told;
  }
  if (any && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
    refuse("preparing to hear of denied calls", "", errno);
}

int denial_socket() { return sockets[1]; }

// EBUSY: fabric itself runs below a filter with a listener, and there can be one only. EINVAL: the
// kernel is older than 5.19, and an answer under way can be interrupted by signals.
bool install_filter(const Spec& spec, int socket) {
  Program program{static_cast<unsigned short>(before + spec.head->filter_count), notifying};
  long listener = -1;
  if (socket >= 0) {
    listener = syscall(SYS_seccomp, k_set_filter, k_new_listener | k_wait_killable, &program);
    if (listener < 0 && errno == EINVAL)
      listener = syscall(SYS_seccomp, k_set_filter, k_new_listener, &program);
  }
  if (listener < 0 && learns(spec)) return false;
  if (listener < 0) {
    program = {static_cast<unsigned short>(spec.head->filter_count), silent};
    if (syscall(SYS_seccomp, k_set_filter, 0, &program) != 0) return false;
  }
  if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 2) return false;
  return listener < 0 || send_listener(socket, static_cast<int>(listener));
}

int take_listener() { return sockets[0] >= 0 ? receive_listener(sockets[0]) : -1; }

void answer_denials(Init& init, uint32_t number, bool ended) {
  Slot& slot = init.slots[number];
  if (slot.denials < 0) return;
  if (ended) {  // no process has the filter any more
    close(slot.denials);
    slot.denials = -1;
    return;
  }
  const int most = learns(init.spec) ? k_answers_while_learning : k_answers_a_round;
  for (int i = 0; i < most; ++i) {
    // Receiving without anybody who waits would block.
    pollfd ask{slot.denials, POLLIN, 0};
    if (poll(&ask, 1, 0) != 1 || (ask.revents & POLLIN) == 0 || !answer_one(init, slot)) return;
  }
}

void hurry_denials(Init& init, uint64_t attempt) {
  for (Denial& denial : init.denials)
    if (denial.record.attempt == attempt) denial.due = 0;
}

int64_t next_denial(const Init& init) {
  int64_t next = k_never;
  if (init.connection < 0 || init.connection_writable_wanted) return next;
  for (const Denial& denial : init.denials)
    if (denial.record.count != 0 && denial.due < next) next = denial.due;
  return next;
}

}  // namespace fabric::init
