// SPDX-License-Identifier: Apache-2.0
// The running init: one thread, one epoll loop, all memory laid out in advance. What grows is
// mapped with a fixed upper bound (workers' buffers) and given back when it is empty.
#pragma once

#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "isolation/init_wire.hpp"
#include "leaf.hpp"
#include "spec.hpp"
#include "worker.hpp"

namespace fabric::init {

constexpr int64_t k_never = INT64_MAX;
constexpr int64_t k_second = 1000000000;

// One of an attempt's output streams: a pipe that the task writes, a file that we write.
struct Output {
  int pipe = -1;
  int file = -1;
  bool regular = true;   // else the file is asked whether it can take more, so that we never block
  bool waiting = false;  // registered for that
  bool rotate = false;   // at the limit drop the oldest half instead of what is new
  uint64_t limit = 0;
  uint64_t in_file = 0;
  uint64_t written = 0;
  uint64_t dropped = 0;
  uint64_t allowed = 0;   // bytes that may be read now, when their rate is limited ...
  int64_t filled_at = 0;  // ... as of this time
  int64_t resume_at = k_never;
};

struct Input {
  int pipe = -1;
  int file = -1;
  bool regular = true;
  int64_t offset = 0;
};

struct Slot {
  Leaf leaf;
  bool busy = false;
  bool direct = false;  // its descriptors are the caller's own, and so may its session be
  uint64_t attempt = 0;
  pid_t pid = 0;          // of the main process; 0 once it was reaped
  bool announce = false;  // STARTED is still to be sent
  int pidfd = -1;         // only until then
  int stop_signal = 0;
  int64_t grace = 0;
  int64_t deadline = k_never;
  int64_t no_progress = 0;  // the longest silence allowed; 0: any
  int64_t last_output = 0;  // or the start; kept only if there is a limit
  int64_t silent_at = k_never;
  int64_t kill_at = k_never;
  int64_t settle_at = k_never;  // to look once more whether the leaf is empty
  int looks = 0;
  int32_t limit_passed = wire::k_exited;  // the first one: k_timed_out or k_no_progress
  bool stopped = false;
  int status_code = 0;  // CLD_EXITED, ...
  int status = 0;
  uint64_t cpu_ns = 0;
  uint64_t largest = 0;  // bytes held at most by one of its processes
  const char* note = "";
  char over_limit[sizeof wire::ExitRecord::message] = {};  // what note is after k_over_limit
  uint64_t throttled_before_ns = 0, refused_before = 0;
  uint64_t io_read = 0, io_written = 0;  // of all attempts that ended here
  uint64_t io_read_now = 0, io_written_now = 0;
  Input input;
  Output output[2];
  Worker* worker = nullptr;
  int denials = -1;  // the listener of its filter: who made a denied call waits for our answer
};

struct PendingExit {
  wire::ExitRecord record;
  bool used = false;
  bool sent = false;
};

// A call that was denied, and how often since it was last told.
struct Denial {
  wire::ViolationRecord record;  // its count: what is still to be told
  uint32_t rule = 0;
  int64_t due = 0;  // not again before that
};
constexpr uint32_t k_denials = 64;

struct Init {
  Spec spec;
  int epoll = -1;
  int signals = -1;
  int timer = -1;
  int connection = -1;
  bool connection_writable_wanted = false;
  bool state_sent = false;
  int64_t orphan_at = k_never;
  bool shutting_down = false;
  int64_t armed = k_never;
  uint64_t journal_sequence = 0;
  uint32_t journal_next = 0;
  int attempt_domain = -1;  // a Landlock ruleset, see make_attempt_domain()
  Slot slots[wire::k_max_slots];
  PendingExit exits[wire::k_journal_records];
  Denial denials[k_denials];

  uint32_t slot_count() const { return spec.head->slots; }
};

// What an epoll event is about; the slot number is in the lower half of its data.
enum class Source : uint32_t {
  signals,
  timer,
  listener,
  connection,
  input_pipe,
  input_file,
  output_pipe,
  output_file,
  error_pipe,
  error_file,
  leaf,
  link,
  denial,
};
void watch(Init& init, int fd, Source source, uint32_t slot, uint32_t events);
int64_t monotonic_ns();

// loop.cpp
[[noreturn]] void run(Init& init);
void shut_down(Init& init, int64_t grace);
// Everything that ended: main processes, and whatever their children left to us.
void reap_dead(Init& init);

// start.cpp: starts an attempt, or records why it could not be.
struct StartMessage {
  uint64_t attempt;
  int64_t no_progress;
  wire::StartHead head;
  char* text;
  int fds[3];  // -1 where absent; owned by the callee
};
void start_attempt(Init& init, StartMessage& message);

char** task_arguments();

// denial.cpp
bool install_filter(const Spec& spec, int socket);  // in the process of a task
int denial_socket();                                // its end of a socket pair; -1: not needed
void prepare_filter(const Spec& spec, char** arguments);  // of the commands that we execute
int take_listener();                                      // what the process sent back; -1: nothing
void answer_denials(Init& init, uint32_t slot, bool ended);
void hurry_denials(Init& init, uint64_t attempt);  // it ends: tell the rest now
int64_t next_denial(const Init& init);             // when one is due

// attempt.cpp
void signal_attempt(Slot& slot, int signal_number);
void stop_attempt(Slot& slot, int64_t grace);
void kill_attempt(Slot& slot);
void main_ended(Init& init, Slot& slot, const siginfo_t& info, const rusage& usage);
void settle(Init& init, Slot& slot);  // finishes a slot whose leaf is empty
void watch_progress(Slot& slot, int64_t limit);
void check_limits(Slot& slot, int64_t now);  // the deadline, and progress
// What runs ends now, for a limit that the supervisor watches.
void end_over_limit(Init& init, int32_t reason, const char* text, size_t size);

// streams.cpp
void pump_output(Init& init, uint32_t slot, int which);
void pump_input(Init& init, uint32_t slot);
bool output_waits(const Slot& slot);           // written by the attempt, not read by us yet
bool drain_output(Init& init, uint32_t slot);  // false: the receiver has to take some first
void close_streams(Slot& slot);

// link.cpp: the connection to the egress process. adopt_link() takes the descriptor; an older link
// is closed. serve_link() whenever epoll says something of it.
void adopt_link(Init& init, int fd);
void serve_link(Init& init);

// journal.cpp
bool journal_full(const Init& init);
void record_exit(Init& init, wire::ExitRecord record);
void acknowledge_exit(Init& init, uint64_t attempt);
PendingExit* find_exit(Init& init, uint64_t attempt);

// connection.cpp
void adopt_connection(Init& init, int fd);
void accept_connection(Init& init);
void read_connection(Init& init);
void send_pending(Init& init);
void lose_connection(Init& init);

}  // namespace fabric::init
