// SPDX-License-Identifier: Apache-2.0
// Registers agents and moves them through their states: pure decisions over a store transaction and
// a given time. Making and killing sandboxes is the supervisor's work.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "lifecycle/agent_state.hpp"
#include "model/agent.hpp"
#include "store/store.hpp"

namespace fabric {

struct AgentFilters {
  std::string model;  // "" is any
  std::optional<AgentState> state;
  std::optional<Health> health;
};

class LifecycleManager {
 public:
  // Borrows `txn`; the caller commits.
  LifecycleManager(store::WriteTxn& txn, WallTime now) : txn_(txn), now_(now) {}

  // Registers a new agent as `starting`, with the generation and cgroup name of its first sandbox:
  // both are committed before anything of it is made. failed when the id is taken.
  Result<Agent> spawn(const AgentDefinition& definition);
  // An agent that fabric does not start: it is ready at once.
  Result<Agent> spawn_external(const AgentDefinition& definition);
  // A new sandbox for an existing agent (after a crash, or a new supervisor): the same promise.
  Result<Agent> start_again(std::string_view id, bool after_a_loss);
  // Process and start time of its init are known now, and what is weaker than was asked for.
  Result<Agent> sandbox_ready(std::string_view id, pid_t pid, uint64_t pid_start_time,
                              const std::string& boot_id, const std::string& disk_quota = {},
                              std::vector<std::string> degraded = {});
  Result<Agent> change(std::string_view id, AgentEvent event, std::string detail);
  // Its end: the record goes, its tasks stay.
  Status remove(std::string_view id);

  // Agents that pass the filters, by id.
  static std::vector<Agent> list_agents(std::vector<Agent> all, const AgentFilters& filters);

 private:
  Result<Agent> find(std::string_view id) const;
  Status new_generation(Agent& agent);
  Status apply(Agent& agent, AgentEvent event);
  Status note(EventKind kind, const Agent& agent, std::string detail);

  store::WriteTxn& txn_;
  WallTime now_;
};

}  // namespace fabric
