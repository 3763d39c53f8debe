// SPDX-License-Identifier: Apache-2.0
// What commands call to change a workspace. A mutation goes to the supervisor's socket if one runs;
// else the very same function runs here on the store. Same code, same answers, same errors.
// One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "config/settings.hpp"
#include "config/workspace.hpp"
#include "model/agent.hpp"
#include "model/task.hpp"
#include "store/store.hpp"
#include "supervisor/live_usage.hpp"

namespace fabric {

// Tasks to schedule: one JSON object a line (agent, payload; optionally id, type, priority,
// depends_on, timeout_seconds, metadata). All or nothing.
struct Submission {
  std::string request_id;  // UUIDv7. Lines without an id get one derived from it and their number,
                           // so that sending the same request again makes the same tasks.
  std::string lines;
  size_t first_line = 1;  // number of the first line, for messages
  std::string user;
  std::string correlation_id;
  std::string traceparent;  // "" makes one
};
struct SubmitReply {
  struct Item {
    std::string id;
    bool existed = false;  // the same task, scheduled before
    TaskState state = TaskState::pending;
    std::string agent;
  };
  std::vector<Item> items;
};

struct SpawnReply {
  Agent agent;
};
struct CancelReply {
  TaskState was = TaskState::pending;       // running: the two-step stop has begun
  std::vector<std::string> also_cancelled;  // dependents
};
struct TerminateReply {
  uint64_t cancelled = 0;  // pending tasks that will never run
  uint64_t stopped = 0;    // running tasks that were ended
};
struct DownReply {
  uint64_t finished = 0, stopped = 0;
};

class Client {
 public:
  // Connects when a supervisor lives; otherwise works on the store.
  static Result<Client> open(const config::Workspace& workspace);
  [[nodiscard]] bool supervised() const;

  // Whether the supervisor still answers: one that was just killed may accept its last connections.
  Status ping();
  Result<SubmitReply> schedule(const Submission& submission);
  // Needs a supervisor (ErrorCode::not_found without one: see start_supervisor), except for kind
  // `external`.
  Result<SpawnReply> spawn(const AgentDefinition& definition);
  // A call that is one transaction (operations.hpp): parameters and result are JSON. Direct when no
  // supervisor runs; then what time has brought is decided first. `patience`: with a supervisor.
  Result<json::Document> perform(std::string_view method, const std::string& params_json,
                                 Duration patience = Duration::seconds(60));
  // Running tasks: returns once the stop has begun; the task ends as cancelled.
  Result<CancelReply> cancel(const std::string& task_id);
  // Ends the agent, its running tasks and its pending ones; returns when nothing of it is left.
  Result<TerminateReply> terminate(const std::string& agent_id);
  // Stops the supervisor and every agent's processes; pending tasks stay queued.
  Result<DownReply> down();

  // Live resource use, by agent id; agents without a sandbox are absent. Empty without a
  // supervisor.
  Result<LiveUsageList> usage();

  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

 private:
  struct State;
  explicit Client(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Is one alive, and who (from the ownership lock and the store).
struct SupervisorStatus {
  bool running = false;
  store::SupervisorRecord record;
};
Result<SupervisorStatus> supervisor_status(const config::Workspace& workspace,
                                           const store::ReadTxn& txn);

// Starts `fabric_binary up` in the background, in its own session, output to the supervisor log,
// and waits until it serves (or says why not). Returns false when one was running already.
Result<bool> start_supervisor(const config::Workspace& workspace, const std::string& fabric_binary);

// Blocks until done() says true of the store as it is now, asked again after each change: watches
// the store's bell (no polling; works without a supervisor and across its crashes). timed_out when
// `patience` (0: for ever) runs out.
Status wait_for(const store::Store& store, const std::function<bool(const store::ReadTxn&)>& done,
                Duration patience);

}  // namespace fabric
