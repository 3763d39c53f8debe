// SPDX-License-Identifier: Apache-2.0
#include "supervisor/client.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lifecycle/lifecycle_manager.hpp"
#include "scheduler/agent_scheduler.hpp"
#include "store/ownership.hpp"
#include "supervisor/control_protocol.hpp"
#include "supervisor/operations.hpp"
#include "supervisor/unix_socket.hpp"

namespace fabric {
namespace {

using store::Ownership;

// How long a command waits for a supervisor that holds the workspace but does not serve yet.
constexpr Duration k_patience = Duration::seconds(10);
// What is answered after one commit, behind what is queued before it.
constexpr Duration k_answer_patience = Duration::seconds(60);
constexpr Duration k_usage_patience = Duration::seconds(10);

tl::unexpected<Error> needs_supervisor() {
  return fail(ErrorCode::not_found, "no supervisor is running in this workspace",
              "start one with: fabric up --detach");
}

}  // namespace

struct Client::State {
  config::Workspace workspace;
  Fd socket;
  int64_t next_call = 1;
  std::string received;
  bool answer_lost = false;  // the last call may or may not have taken effect

  Status connect();
  // `patience` 0: as long as it takes.
  Result<control::Answer> call(std::string_view method, const std::string& params,
                               Duration patience);
  Result<std::string> read_line(Duration patience);
  Result<std::optional<Ownership>> own() const {
    return Ownership::acquire(workspace.owner_path(), Ownership::Kind::shared, Duration{});
  }
  Result<DispatchRules> rules() const;
  Result<std::string> perform_here(const Ownership& proof, std::string_view method,
                                   const json::Document& params) const;
  // Runs `work` in a transaction of our own, under the ownership lock.
  template <class T, class Work>
  Result<T> directly(const Ownership& proof, Work work) const;
};

// Ends connected, or with no supervisor alive.
Status Client::State::connect() {
  const MonoTime deadline = system_clock().monotonic() + k_patience;
  for (;;) {
    socket = TRY(connect_unix(workspace.control_socket()));
    if (socket) return {};
    if (!TRY(Ownership::holder(workspace.owner_path()))) return {};
    if (system_clock().monotonic() >= deadline)
      return fail(ErrorCode::timed_out, "the supervisor holds the workspace but does not answer",
                  "see what it does in .fabric/logs/supervisor.log");
    // It recovers what its predecessor left; there is no event to wait for before it listens.
    ::poll(nullptr, 0, 5);
  }
}

Result<std::string> Client::State::read_line(Duration patience) {
  const MonoTime deadline = system_clock().monotonic() + patience;
  size_t scanned = 0;
  for (;;) {
    size_t end = received.find('\n', scanned);
    if (end != std::string::npos) {
      std::string line = received.substr(0, end);
      received.erase(0, end + 1);
      return line;
    }
    scanned = received.size();
    pollfd wait{socket.get(), POLLIN, 0};
    int64_t left = (deadline - system_clock().monotonic()).to_millis();
    if (patience.ns != 0 && ::poll(&wait, 1, static_cast<int>(std::max<int64_t>(0, left))) == 0)
      return fail(ErrorCode::timed_out, "the supervisor does not answer",
                  "is it stopped? see: ps -o pid,stat,cmd -C fabric");
    char buffer[65536];
    ssize_t n = ::read(socket.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      answer_lost = true;
      return fail(ErrorCode::failed, "the supervisor went away before it answered",
                  "see whether it took effect with: fabric status");
    }
    received.append(buffer, static_cast<size_t>(n));
  }
}

Result<control::Answer> Client::State::call(std::string_view method, const std::string& params,
                                            Duration patience) {
  int64_t id = next_call++;
  answer_lost = false;
  std::string message = control::encode_call(id, method, params);
  std::string_view rest = message;
  while (!rest.empty()) {
    ssize_t n = ::send(socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;  // its answer, if it sent one before it went, is still to be read
    rest.remove_prefix(static_cast<size_t>(n));
  }
  return control::decode_answer(id, TRY(read_line(patience)));
}

template <class T, class Work>
Result<T> Client::State::directly(const Ownership&, Work work) const {
  store::Store store = TRY(store::Store::open(workspace.store_dir(), store::Store::Mode::create));
  store::WriteTxn txn = TRY(store.write());
  T reply = TRY(work(txn));
  TRY_STATUS(txn.commit());
  return reply;
}

Result<Client> Client::open(const config::Workspace& workspace) {
  auto state = std::make_unique<State>();
  state->workspace = workspace;
  TRY_STATUS(state->connect());
  return Client(std::move(state));
}

bool Client::supervised() const { return state_->socket.valid(); }

Status Client::ping() {
  if (!supervised()) return needs_supervisor();
  TRY(state_->call("ping", "{}", k_patience));
  return {};
}

Result<SubmitReply> Client::schedule(const Submission& submission) {
  // An answer that was lost is asked for again: the request names the same tasks each time, so a
  // repetition finds them and changes nothing.
  for (int attempt = 0;; ++attempt) {
    if (supervised()) {
      Result<control::Answer> answer =
          state_->call("schedule", control::encode(submission), k_answer_patience);
      if (answer) return control::decode_submit_reply(answer->result());
      if (!state_->answer_lost || attempt == 3) return fail(answer.error());
      state_->received.clear();
      TRY_STATUS(state_->connect());
      continue;
    }
    std::optional<Ownership> own = TRY(state_->own());
    if (own) {
      std::vector<Task> tasks = TRY(operations::parse(submission));
      const DispatchRules rules = TRY(state_->rules());
      return state_->directly<SubmitReply>(*own, [&](store::WriteTxn& txn) {
        return operations::submit(txn, std::move(tasks), system_clock().now(), rules.scheduler);
      });
    }
    TRY_STATUS(state_->connect());  // a supervisor came up meanwhile
  }
}

Result<SpawnReply> Client::spawn(const AgentDefinition& definition) {
  if (definition.kind == AgentKind::external) {
    TRY(perform("spawn_external", control::encode(definition)));
  } else {
    if (!supervised()) return needs_supervisor();
    TRY(state_->call("spawn", control::encode(definition), Duration{}));
  }
  store::Store store =
      TRY(store::Store::open(state_->workspace.store_dir(), store::Store::Mode::read));
  store::ReadTxn txn = TRY(store.read());
  std::optional<Agent> agent = TRY(txn.find_agent(definition.id));
  if (!agent) return fail(ErrorCode::failed, "agent " + definition.id + " is gone already");
  return SpawnReply{std::move(*agent)};
}

Result<DispatchRules> Client::State::rules() const {
  return operations::rules_of(TRY(config::load_settings(workspace)));
}

Result<std::string> Client::State::perform_here(const Ownership& proof, std::string_view method,
                                                const json::Document& params) const {
  Dispatcher dispatcher(TRY(rules()), system_clock());
  return directly<std::string>(proof, [&](store::WriteTxn& txn) -> Result<std::string> {
    while (TRY(dispatcher.tick(txn))) {
    }
    operations::Context context{system_clock().now(), dispatcher, {}};
    return operations::perform(method, &params, txn, context);
  });
}

Result<json::Document> Client::perform(std::string_view method, const std::string& params_json,
                                       Duration patience) {
  const json::Document params = TRY(json::parse(params_json));
  for (;;) {
    if (supervised()) {
      const control::Answer answer = TRY(state_->call(method, params_json, patience));
      json::Document result;
      result.CopyFrom(answer.result(), result.GetAllocator());
      return result;
    }
    if (std::optional<Ownership> own = TRY(state_->own()))
      return json::parse(TRY(state_->perform_here(*own, method, params)));
    TRY_STATUS(state_->connect());
  }
}

Result<CancelReply> Client::cancel(const std::string& task_id) {
  const json::Document answer = TRY(perform("cancel", control::encode_id(task_id)));
  return control::decode_cancel_reply(answer);
}

Result<TerminateReply> Client::terminate(const std::string& agent_id) {
  for (;;) {
    if (supervised()) {
      control::Answer answer =
          TRY(state_->call("terminate", control::encode_id(agent_id), Duration{}));
      return TerminateReply{control::count_of(answer.result(), "cancelled"),
                            control::count_of(answer.result(), "stopped")};
    }
    if (std::optional<Ownership> own = TRY(state_->own()))
      return state_->directly<TerminateReply>(
          *own, [&](store::WriteTxn& txn) -> Result<TerminateReply> {
            LifecycleManager lifecycle(txn, system_clock().now());
            std::optional<Agent> agent = TRY(txn.find_agent(agent_id));
            // Only a supervisor may end a sandbox that perhaps still lives.
            if (agent && agent->definition.kind != AgentKind::external &&
                agent->state != AgentState::stopped && agent->state != AgentState::failed)
              return needs_supervisor();
            Agent stopping = TRY(lifecycle.change(agent_id, AgentEvent::terminate, ""));
            AgentScheduler scheduler(txn, system_clock().now());
            AgentScheduler::AgentGone gone = TRY(scheduler.cancel_all(stopping));
            for (const Task& task : gone.running)  // of a sandbox that is gone
              TRY(scheduler.requeue(task.sequence, task.attempt_id,
                                    AgentScheduler::Requeue::interrupted, task.detail));
            TRY_STATUS(lifecycle.remove(agent_id));
            return TerminateReply{gone.cancelled, gone.running.size()};
          });
    TRY_STATUS(state_->connect());
  }
}

Result<DownReply> Client::down() {
  if (!supervised()) return needs_supervisor();
  control::Answer answer = TRY(state_->call("down", "{}", Duration{}));
  // Its lock is the last thing that goes: then nothing of it is left.
  Ownership::acquire(state_->workspace.owner_path(), Ownership::Kind::shared, k_patience);
  return DownReply{control::count_of(answer.result(), "finished"),
                   control::count_of(answer.result(), "stopped")};
}

Result<LiveUsageList> Client::usage() {
  if (!supervised()) return LiveUsageList{};
  const control::Answer answer = TRY(state_->call("usage", "{}", k_usage_patience));
  return decode_live_usage(answer.result());
}

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Result<SupervisorStatus> supervisor_status(const config::Workspace& workspace,
                                           const store::ReadTxn& txn) {
  SupervisorStatus status;
  std::optional<pid_t> holder = TRY(Ownership::holder(workspace.owner_path()));
  status.record = TRY(txn.supervisor());
  // While it starts, the record is its predecessor's.
  status.running = holder.has_value();
  if (holder && status.record.pid != *holder) {
    status.record = {};
    status.record.pid = *holder;
  }
  return status;
}

}  // namespace fabric
