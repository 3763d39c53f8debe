// SPDX-License-Identifier: Apache-2.0
// The heart of a supervisor: joins store, launcher, sandboxes and the control socket. Everything
// here is the I/O thread's; the sources are one a subject: core.cpp (life of the process),
// agents.cpp, tasks.cpp, calls.cpp, time.cpp, recovery.cpp,
// violation_reports.cpp.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/event_loop.hpp"
#include "config/settings.hpp"
#include "config/workspace.hpp"
#include "isolation/disk_watch.hpp"
#include "lifecycle/restart_policy.hpp"
#include "store/ownership.hpp"
#include "store/store.hpp"
#include "supervisor/agent_host.hpp"
#include "supervisor/control_server.hpp"
#include "supervisor/egress_client.hpp"
#include "supervisor/launcher_thread.hpp"
#include "supervisor/learner.hpp"
#include "supervisor/operations.hpp"
#include "supervisor/pressure.hpp"
#include "supervisor/store_thread.hpp"
#include "supervisor/supervisor.hpp"
#include "supervisor/violations.hpp"

namespace fabric {

class SupervisorCore {
 public:
  SupervisorCore(const config::Workspace& workspace, const SupervisorOptions& options,
                 config::Settings settings);
  Status run();

 private:
  using Responder = ControlServer::Responder;

  struct Entry {
    Agent agent;
    std::unique_ptr<AgentHost> host;  // null while it is made or destroyed
    bool launching = false;
    bool was_ready = false;  // false: its spawn is not acknowledged yet
    bool terminating = false;
    bool renewing = false;  // it gets a new sandbox when nothing runs in this one
    RestartPolicy restarts;
    EventLoop::TimerId restart_timer = 0;
    std::vector<Responder> spawn_waiters, terminate_waiters;
    TerminateReply terminated;
    WallTime heartbeat_at;
    std::optional<Error> launch_error;          // what came to light when the sandbox stood already
    std::map<std::string, EgressUsage> egress;  // by host, since this supervisor runs
  };

  // core.cpp
  Status open();
  Status watch_signals();
  void serve();
  void clear_stale_readers();
  void go_down(std::optional<Responder> responder);
  void stop_running_tasks();
  void check_down();
  void finish_down();
  void stop_when_written(int tries);
  [[nodiscard]] std::string cgroup_root() const;

  // recovery.cpp: what a predecessor left
  Status recover();
  void recover_agent(const Agent& agent, std::vector<Task> running);
  void adopt(const Agent& agent, std::vector<Task> running);
  void rebuild(const Agent& agent, std::vector<Task> running);
  void recovered_one();
  bool finish_from_journal(const Agent& agent, const Task& task,
                           const std::vector<AttemptExit>& journal);

  // agents.cpp
  void spawn(const AgentDefinition& definition, Responder responder);
  void launch(const Agent& agent);
  void launched(const std::string& id, Result<Sandbox> sandbox);
  void launch_failed(Entry& entry, const Error& error);
  void make_ready(Entry& entry);
  void start_again(const std::string& id, bool after_a_loss);
  void host_ended(const std::string& id);
  void destroy(const SandboxIdentity& identity, const std::string& journal,
               std::function<void(const std::vector<AttemptExit>&)> then);
  void discard_journal(const std::string& path);
  void sandbox_destroyed(const std::string& id, const std::vector<AttemptExit>& journal);
  void new_attempt_id(std::function<void(AttemptId)> use);
  void restart_or_give_up(Entry& entry);
  void agent_broken(const std::string& id, const std::string& why);
  void terminate(const std::string& id, Responder responder);
  void remove_agent(const std::string& id);
  [[nodiscard]] SandboxSpec spec_of(const Agent& agent) const;
  [[nodiscard]] SandboxIdentity identity_of(const Agent& agent) const;
  [[nodiscard]] std::string socket_path(const Agent& agent) const;
  [[nodiscard]] std::string journal_path(const Agent& agent) const;
  TaskRunner::Hooks hooks_for(const std::string& id);
  TaskRunner::Context runner_context();
  Entry* find(const std::string& id);

  // egress.cpp
  void open_egress();
  Status start_egress_process();
  void attach_egress(const Agent& agent, Fd link, EgressClient::Done done);
  void attach_new_sandbox(Entry& entry, Fd link);
  void attach_adopted_sandbox(const Agent& agent);
  void egress_refused(const EgressRefused& refused);
  void egress_used(const EgressUsage& usage);
  void egress_changed(const operations::Context::NewRules& rules);
  [[nodiscard]] const std::string* agent_of_cgroup(const std::string& cgroup) const;

  // tasks.cpp
  void start_claims(std::vector<Dispatcher::Claim> claims);
  void finish(const Task& task, std::shared_ptr<const Outcome> outcome,
              std::function<void()> committed);
  void requeue(const Task& task, AgentScheduler::Requeue why, const std::string& detail,
               std::function<void()> done);
  void add_usage(const Task& task, const Usage& usage, std::function<void()> committed);
  void ended_one(const std::string& agent_id, bool finished);

  // time.cpp: when something is due, and how short the machine is
  Status open_wall_timer();
  void wake_at(std::optional<WallTime> when);
  void arm_wall_timer();
  void watch_pressure();
  void look_at_pressure();
  void collect_garbage_later(Duration delay);
  void collect_garbage_now();
  void trim_log_files();

  // violation_reports.cpp
  void denied_call(const std::string& id, const DeniedCall& denied);
  // For whoever else denies or limits something: the agent's id, and what is known.
  void report(const std::string& id, Violation violation);
  void report_refused(const std::string& id, const EgressRefused& refused);
  void say_what_was_denied(const std::string& id, const Task& task, Outcome& outcome);
  void explain_outcome(const std::string& id, const Task& task, Outcome& outcome);

  // calls.cpp
  void call(const control::Call& call, Responder responder);
  void schedule(const control::Call& call, Responder responder);
  void perform(const control::Call& call, Responder responder);
  void give_back(const std::string& claimed);
  // usage.cpp
  void usage(Responder responder);
  void watch_disk(const Entry& entry);
  [[nodiscard]] std::string work_directory(const Agent& agent) const;
  void over_disk(const DiskWatch::Over& over);

  const config::Workspace workspace_;
  const SupervisorOptions options_;
  const config::Settings settings_;
  const Clock& clock_ = system_clock();
  std::optional<store::Ownership> ownership_;
  std::optional<store::Store> store_;
  std::optional<IsolationManager> isolation_;
  std::unique_ptr<EventLoop> loop_;
  Fd signals_;
  Fd wall_timer_;
  std::optional<WallTime> next_tick_;
  PressureGauge pressure_;
  bool pressure_watched_ = false;
  std::unordered_map<std::string, Entry> agents_;
  size_t recovering_ = 0;
  bool serving_ = false;
  bool going_down_ = false;
  bool finishing_ = false;
  Status failure_;  // why the supervisor ended by itself
  DownReply down_;
  std::vector<Responder> down_waiters_;
  std::unique_ptr<ControlServer> server_;
  std::unique_ptr<EgressClient> egress_;
  std::unordered_map<std::string, MonoTime> egress_events_;
  std::unique_ptr<ViolationLog> violations_;
  std::unique_ptr<Learner> learner_;
  // Last: their threads end before what they use goes.
  std::unique_ptr<StoreThread> writer_;
  std::unique_ptr<LauncherThread> launcher_;
  std::optional<DiskWatch> disk_watch_;  // made when there is something to watch
};

}  // namespace fabric
