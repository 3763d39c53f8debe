// SPDX-License-Identifier: Apache-2.0
// The supervisor's end of the control socket of one fabric-init (wire format: init_wire.hpp).
// One thread at a time. Non-blocking: put fd() into epoll; receive() until it returns nullopt.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric {

// An attempt is named by a number that is never used twice in a workspace.
using AttemptId = uint64_t;

struct StartRequest {
  AttemptId attempt = 0;
  uint32_t slot = 0;              // which cgroup leaf, below SandboxSpec::slots
  std::vector<std::string> argv;  // argv[0] is looked up in PATH of env, inside
  std::vector<std::string> env;   // "NAME=value": all of it, nothing is inherited
  MonoTime deadline;              // 0: none. Then stop_signal, and after grace the kill
  // 0: none. Ended as by a deadline when it wrote nothing to stdout or stderr for so long. Output
  // that was dropped counts, and so does what waits in a pipe for a slow receiver. Not for workers:
  // their tasks have limits of their own. An init that is older than this limit does not know it.
  Duration no_progress;
  Duration grace = Duration::seconds(5);
  int stop_signal = 15;
  uint64_t output_limit = uint64_t{64}
                          << 20;  // bytes a stream; what is beyond is counted and dropped
  bool announce = true;  // say AttemptStarted (a wake-up and a descriptor for each attempt)
  bool worker = false;   // stdin and stdout carry JSON-RPC lines (see Line) instead of files
};

enum class EndReason : uint8_t {
  exited,       // by itself: exit_code or signal say how
  timed_out,    // its deadline passed
  stopped,      // stop() or kill() was asked for
  memory,       // killed by the memory limit
  not_started,  // exec failed: exit_code is 127 (not found) or 126; message says why
  no_progress,  // no output for longer than StartRequest::no_progress
  disk,         // over_limit() was said: the work directory holds too much; message says how much
};

// How an attempt ended. Kept in the exit journal, and sent again after a reconnection until
// acknowledged, so no supervisor crash can lose it.
struct AttemptExit {
  AttemptId attempt = 0;
  EndReason reason = EndReason::exited;
  int exit_code = 0;  // when signal is 0
  int signal = 0;
  Duration cpu;
  uint64_t memory_peak_bytes = 0;
  uint64_t stdout_bytes = 0, stderr_bytes = 0;      // written to the files
  uint64_t stdout_dropped = 0, stderr_dropped = 0;  // beyond output_limit
  WallTime ended_at;
  std::string message;
  bool memory_met = false;  // a process of it was killed by the memory limit
  // Of its sandbox while it ran: of more than one attempt, when several ran at once.
  Duration cpu_throttled;                            // waited for its share of the processors
  uint64_t pids_refused = 0;                         // processes that it could not start
  uint64_t io_read_bytes = 0, io_written_bytes = 0;  // that went from and to disks
};
struct AttemptStarted {
  AttemptId attempt = 0;
  pid_t pid = 0;  // as seen by the supervisor (host pid); for display only, never for signals
};
// One line from a worker's stdout, without the newline. Acknowledge by sequence once acted upon.
struct WorkerLine {
  AttemptId attempt = 0;  // of the worker process
  uint64_t sequence = 0;
  std::string text;
  bool truncated = false;  // longer than k_max_line: the rest was dropped
};
struct InitState {  // first event after connecting
  std::vector<AttemptId> running;
  std::vector<uint32_t> running_slots;  // slot of each of `running`, in the same order
  std::vector<AttemptId> ended;         // not acknowledged yet: their AttemptExit follows
};
// A system call that the filter of the sandbox denied. Told once, and lost with the connection.
struct DeniedCall {
  AttemptId attempt = 0;
  WallTime at;
  pid_t pid = 0;        // as seen inside
  std::string process;  // its name, which it may choose
  int call = 0;
  int error = 0;
  std::array<uint64_t, 6> arguments{};  // those that the rule looks at; the others are 0
  std::string rule;                     // name of the group of the policy
  uint32_t count = 1;
};
// What a sandbox that learns was used for. Told once, and lost with the connection.
struct LearnedUse {
  AttemptId attempt = 0;
  uint32_t kind = 0;  // wire::LearnedKind
  int call = 0;
  std::string path;
};
using InitEvent =
    std::variant<InitState, AttemptStarted, AttemptExit, WorkerLine, DeniedCall, LearnedUse>;

constexpr size_t k_max_line = size_t{1} << 20;
constexpr size_t k_max_start_bytes = size_t{128} << 10;  // argv and env together

class InitConnection {
 public:
  InitConnection() = default;
  explicit InitConnection(Fd socket);
  [[nodiscard]] int fd() const { return socket_.get(); }

  // `input`, `output`, `error` become descriptors 0, 1, 2 through pipes that init owns; init writes
  // the files. For a worker, `input` and `output` are invalid Fds. ErrorCode::usage when argv and
  // env exceed k_max_start_bytes.
  Status start(const StartRequest& request, const Fd& input, const Fd& output, const Fd& error);
  Status signal(AttemptId attempt, int signal_number);
  // stop_signal now, kill after grace.
  Status stop(AttemptId attempt, Duration grace);
  Status kill(AttemptId attempt);
  // One whole line (the newline is added) for a worker's stdin. `key` grows from call to call; init
  // drops a line whose key is not larger than the last one it took for this worker, so that a
  // successor may send again what its predecessor perhaps had sent. 0: never dropped.
  Status write_line(AttemptId worker, uint64_t key, std::string_view line);
  Status acknowledge_exit(AttemptId attempt);
  Status acknowledge_line(AttemptId worker, uint64_t sequence);
  // The init's end of a new link to the egress process (model/egress_wire.hpp).
  Status give_link(const Fd& link);
  // A limit that is watched from outside was passed: everything that runs is killed at once, ends
  // for this reason, and its exits say `message` (at most 127 bytes of it).
  Status over_limit(EndReason reason, std::string_view message);
  // init stops everything within `grace` and exits.
  Status shut_down(Duration grace);
  // True while bytes wait that the socket did not take; call flush() when it is writable.
  [[nodiscard]] bool wants_write() const;
  Status flush();

  // nullopt: nothing to read now. An error (end of file included): the connection is gone.
  Result<std::optional<InitEvent>> receive();

 private:
  Status send(std::vector<std::string> packets, const std::vector<int>& descriptors);
  Fd socket_;
  // partial reads and unsent messages
  struct Buffers;
  std::shared_ptr<Buffers> buffers_;
};

}  // namespace fabric
