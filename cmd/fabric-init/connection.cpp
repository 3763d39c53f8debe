// SPDX-License-Identifier: Apache-2.0
// The control socket. Nothing is queued on our side: what is to be said follows from the state
// (slots, exits, workers), so a full socket costs no memory and a new connection starts from it.
#include <sys/epoll.h>
#include <sys/socket.h>

#include "init.hpp"
#include "learn.hpp"
#include "sys.hpp"

namespace fabric::init {

namespace {

constexpr int k_max_fds = 3;

alignas(8) unsigned char packet[wire::k_max_packet];
// A message that comes in several packets; START and LINE only.
alignas(8) char assembly[wire::k_max_request + wire::k_max_packet];
size_t assembled;
wire::Header assembling;
int message_fds[k_max_fds];
int message_fd_count;

void drop_fds() {
  for (int i = 0; i < message_fd_count; ++i)
    if (message_fds[i] >= 0) close(message_fds[i]);
  message_fd_count = 0;
}

enum class Sent { yes, later, lost };

Sent send_packet(Init& init, wire::Header header, const void* body, int fd) {
  iovec parts[2] = {{&header, sizeof header}, {const_cast<void*>(body), header.size}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = header.size != 0 ? 2 : 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  }
  for (;;) {
    if (sendmsg(init.connection, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return Sent::yes;
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == ENOBUFS ? Sent::later : Sent::lost;
  }
}

Sent send_state(Init& init) {
  wire::StateEntry entries[wire::k_max_slots + wire::k_journal_records];
  uint32_t count = 0;
  for (uint32_t i = 0; i < init.slot_count(); ++i)
    if (init.slots[i].busy) entries[count++] = {init.slots[i].attempt, i, 0};
  for (const PendingExit& exit : init.exits)
    if (exit.used) entries[count++] = {exit.record.attempt, 0, 1};
  const auto size = static_cast<uint32_t>(count * sizeof(wire::StateEntry));
  wire::Header header{wire::k_state, 0, size, 0, wire::k_version};
  return send_packet(init, header, entries, -1);
}

Sent send_started(Init& init, Slot& slot) {
  wire::Header header{wire::k_started, 0, 0, slot.attempt,
                      init.spec.has(wire::k_walls) ? 0 : static_cast<uint64_t>(slot.pid)};
  Sent sent = send_packet(init, header, nullptr, slot.pidfd);
  if (sent != Sent::yes) return sent;
  slot.announce = false;
  if (slot.pidfd >= 0) close(slot.pidfd);
  slot.pidfd = -1;
  return sent;
}

Sent send_lines(Init& init, Worker& worker) {
  while (!all_sent(worker)) {
    const auto& line = *reinterpret_cast<const LineRecord*>(worker.store + worker.to_send);
    const size_t room = wire::k_max_packet - sizeof(wire::Header);
    size_t part = line.size - worker.sent_of_it;
    if (part > room) part = room;
    const bool last = worker.sent_of_it + part == line.size;
    uint32_t flags = last ? line.flags : uint32_t{wire::k_more};
    if (worker.sent_of_it == 0) flags |= wire::k_first;
    wire::Header header{wire::k_worker_line, static_cast<uint16_t>(flags),
                        static_cast<uint32_t>(part), worker.attempt, line.sequence};
    Sent sent =
        send_packet(init, header, reinterpret_cast<const char*>(&line + 1) + worker.sent_of_it, -1);
    if (sent != Sent::yes) return sent;
    worker.sent_of_it += part;
    if (!last) continue;
    worker.to_send += sizeof(LineRecord) + ((line.size + 7) & ~size_t{7});
    worker.sent_of_it = 0;
  }
  return Sent::yes;
}

// Before the exits: who asks why an attempt failed has heard of it by then.
Sent send_denials(Init& init) {
  int64_t now = 0;
  for (Denial& denial : init.denials) {
    if (denial.record.count == 0) continue;
    if (now == 0) now = monotonic_ns();
    if (denial.due > now) continue;
    wire::Header header{wire::k_violation, 0, sizeof denial.record, denial.record.attempt, 0};
    Sent sent = send_packet(init, header, &denial.record, -1);
    if (sent != Sent::yes) return sent;
    denial.record.count = 0;
    denial.due = now + k_second;
  }
  return Sent::yes;
}

// Likewise: of the attempt that ended all is known then.
Sent send_learned(Init& init) {
  wire::Header header;
  const char* path = nullptr;
  while (next_learned(header, path)) {
    const Sent sent = send_packet(init, header, path, -1);
    if (sent != Sent::yes) return sent;
    learned_sent(header);
  }
  return Sent::yes;
}

Sent send_exits(Init& init) {
  // In the order in which they happened.
  for (;;) {
    PendingExit* next = nullptr;
    for (PendingExit& exit : init.exits)
      if (exit.used && !exit.sent &&
          (next == nullptr || exit.record.sequence < next->record.sequence))
        next = &exit;
    if (next == nullptr) return Sent::yes;
    wire::Header header{wire::k_exit, 0, sizeof next->record, next->record.attempt, 0};
    Sent sent = send_packet(init, header, &next->record, -1);
    if (sent != Sent::yes) return sent;
    next->sent = true;
    if (init.spec.has(wire::k_one_shot)) _exit(0);
  }
}

Sent send_all(Init& init) {
  if (!init.state_sent) {
    Sent sent = send_state(init);
    if (sent != Sent::yes) return sent;
    init.state_sent = true;
  }
  for (uint32_t i = 0; i < init.slot_count(); ++i) {
    if (!init.slots[i].busy || !init.slots[i].announce) continue;
    Sent sent = send_started(init, init.slots[i]);
    if (sent != Sent::yes) return sent;
  }
  struct Context {
    Init& init;
    Sent sent;
  } context{init, Sent::yes};
  // Before the exits: the end of a worker comes after its last line.
  each_worker(
      [](Worker& worker, void* pointer) {
        auto& c = *static_cast<Context*>(pointer);
        if (c.sent == Sent::yes) c.sent = send_lines(c.init, worker);
      },
      &context);
  if (context.sent == Sent::yes) context.sent = send_denials(init);
  if (context.sent == Sent::yes) context.sent = send_learned(init);
  return context.sent == Sent::yes ? send_exits(init) : context.sent;
}

Slot* slot_of(Init& init, uint64_t attempt) {
  for (uint32_t i = 0; i < init.slot_count(); ++i)
    if (init.slots[i].busy && init.slots[i].attempt == attempt) return &init.slots[i];
  return nullptr;
}

bool handle_start(Init& init, const wire::Header& header, char* body, size_t size) {
  StartMessage message{header.attempt,
                       static_cast<int64_t>(header.value),
                       {},
                       body + sizeof(wire::StartHead),
                       {-1, -1, -1}};
  if (size < sizeof message.head) return false;
  memcpy(&message.head, body, sizeof message.head);
  const wire::StartHead& head = message.head;
  if (head.text_size != size - sizeof head || head.argc > wire::k_max_strings ||
      head.envc > wire::k_max_strings - head.argc)
    return false;
  int next = 0;
  const uint32_t flags[3] = {wire::k_has_input, wire::k_has_output, wire::k_has_error};
  for (int i = 0; i < 3; ++i) {
    if ((head.flags & flags[i]) == 0) continue;
    if (next >= message_fd_count) return false;
    message.fds[i] = message_fds[next];
    message_fds[next++] = -1;
  }
  start_attempt(init, message);
  for (int fd : message.fds)
    if (fd >= 0) close(fd);
  return true;
}

void handle_line(Init& init, const wire::Header& header, const char* bytes, size_t size) {
  Slot* slot = slot_of(init, header.attempt);
  if (slot == nullptr || slot->worker == nullptr || slot->input.pipe < 0) return;
  if (header.value != 0) {
    if (header.value <= slot->worker->last_key) return;  // a successor sends it once more
    slot->worker->last_key = header.value;
  }
  if (queue_line(*slot->worker, bytes, size))
    return pump_input(init, static_cast<uint32_t>(slot - init.slots));
  slot->stopped = true;
  slot->note = "killed: it did not read 4 MiB of requests";
  kill_attempt(*slot);
}

void resume_output(Init& init, uint64_t attempt) {
  Slot* slot = slot_of(init, attempt);
  if (slot == nullptr) return;
  if (slot->output[0].waiting) pump_output(init, static_cast<uint32_t>(slot - init.slots), 0);
  settle(init, *slot);
}

bool handle(Init& init, const wire::Header& header, char* body, size_t size) {
  Slot* slot = slot_of(init, header.attempt);
  const auto value = static_cast<int64_t>(header.value);
  switch (header.type) {
    case wire::k_start:
      return handle_start(init, header, body, size);
    case wire::k_line:
      handle_line(init, header, body, size);
      return true;
    case wire::k_signal:
      if (slot != nullptr) signal_attempt(*slot, static_cast<int>(value));
      return true;
    case wire::k_stop:
      if (slot == nullptr) return true;
      slot->stopped = true;
      stop_attempt(*slot, value);
      return true;
    case wire::k_kill:
      if (slot == nullptr) return true;
      slot->stopped = true;
      kill_attempt(*slot);
      return true;
    case wire::k_ack_exit:
      acknowledge_exit(init, header.attempt);
      return true;
    case wire::k_ack_line:
      if (Worker* worker = find_worker(header.attempt)) {
        acknowledge_lines(*worker, header.value);
        resume_output(init, header.attempt);
      }
      return true;
    case wire::k_over_limit:
      end_over_limit(init, static_cast<int32_t>(value), body, size);
      return true;
    case wire::k_shut_down:
      shut_down(init, value);
      return true;
    case wire::k_net_link:
      if (!init.spec.has(wire::k_egress) || message_fd_count != 1) return true;
      adopt_link(init, message_fds[0]);
      message_fds[0] = -1;
      return true;
    default:
      return true;  // a newer supervisor may say more; what matters has a version of its own
  }
}

// False: the peer broke the protocol.
bool take_packet(Init& init, const wire::Header& header, char* body) {
  const bool long_message = header.type == wire::k_start || header.type == wire::k_line;
  if (assembled == 0 && (header.flags & wire::k_more) == 0) {
    bool ok = handle(init, header, body, header.size);
    drop_fds();
    return ok;
  }
  if (!long_message) return false;
  if (assembled != 0 && (header.type != assembling.type || header.attempt != assembling.attempt))
    return false;
  if (assembled + header.size > sizeof assembly || header.size == 0) return false;
  assembling = header;
  memcpy(assembly + assembled, body, header.size);
  assembled += header.size;
  if ((header.flags & wire::k_more) != 0) return true;
  size_t size = assembled;
  assembled = 0;
  bool ok = handle(init, header, assembly, size);
  drop_fds();
  return ok;
}

}  // namespace

void lose_connection(Init& init) {
  if (init.connection >= 0) close(init.connection);
  init.connection = -1;
  assembled = 0;
  drop_fds();
  if (init.spec.has(wire::k_one_shot)) {
    if (init.spec.has(wire::k_walls)) _exit(0);  // the kernel ends with us whatever is in here
    return shut_down(init, 0);
  }
  init.orphan_at = monotonic_ns() + init.spec.head->orphan_grace_ns;
}

// False: nothing to read now, or the connection is lost.
bool read_packet(Init& init) {
  if (init.connection < 0) return false;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * k_max_fds)];
  wire::Header header{};
  iovec parts[2] = {{&header, sizeof header}, {packet, sizeof packet}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got = recvmsg(init.connection, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  for (cmsghdr* c = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr; c != nullptr;
       c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    drop_fds();
    message_fd_count = static_cast<int>((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(message_fds, CMSG_DATA(c), static_cast<size_t>(message_fd_count) * sizeof(int));
  }
  const bool ok = got >= static_cast<ssize_t>(sizeof header) &&
                  (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 &&
                  header.size == static_cast<size_t>(got) - sizeof header &&
                  take_packet(init, header, reinterpret_cast<char*>(packet));
  if (!ok) lose_connection(init);
  return ok;
}

void adopt_connection(Init& init, int fd) {
  // What the predecessor still said counts: a START that it had sent is on its way, and must be in
  // the state that its successor is told.
  while (read_packet(init)) {
  }
  if (init.connection >= 0) lose_connection(init);
  init.connection = fd;
  init.orphan_at = k_never;
  init.state_sent = init.spec.has(wire::k_one_shot);
  init.connection_writable_wanted = false;
  for (PendingExit& exit : init.exits) exit.sent = false;
  each_worker([](Worker& worker, void*) { send_again(worker); }, nullptr);
  watch(init, fd, Source::connection, 0, EPOLLIN);
}

void accept_connection(Init& init) {
  int fd = accept4(init.spec.listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0) adopt_connection(init, fd);
}

void read_connection(Init& init) {
  // A few at a time, so that a talkative supervisor does not keep the tasks waiting.
  for (int i = 0; i < 16 && read_packet(init);) ++i;
}

void send_pending(Init& init) {
  if (init.connection < 0) return;
  Sent sent = send_all(init);
  if (sent == Sent::lost) return lose_connection(init);
  const bool wanted = sent == Sent::later;
  if (wanted == init.connection_writable_wanted) return;
  init.connection_writable_wanted = wanted;
  epoll_event event{EPOLLIN | (wanted ? EPOLLOUT : 0U), {}};
  event.data.u64 = uint64_t{static_cast<uint32_t>(Source::connection)} << 32;
  epoll_ctl(init.epoll, EPOLL_CTL_MOD, init.connection, &event);
}

}  // namespace fabric::init
