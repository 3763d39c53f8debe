// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/lifecycle_manager.hpp"

#include <algorithm>

#include "base/id.hpp"

namespace fabric {

Result<Agent> LifecycleManager::find(std::string_view id) const {
  std::optional<Agent> agent = TRY(txn_.find_agent(id));
  if (!agent)
    return fail(ErrorCode::not_found, "agent " + std::string(id) + " not found",
                "list agents with: fabric agents");
  return std::move(*agent);
}

Status LifecycleManager::apply(Agent& agent, AgentEvent event) {
  std::optional<AgentState> next = next_state(agent.state, event);
  if (!next)
    return fail(ErrorCode::failed, "agent " + agent.definition.id + " is " +
                                       std::string(to_string(agent.state)) + ": no " +
                                       std::string(to_string(event)) + " from there");
  agent.state = *next;
  return {};
}

Status LifecycleManager::new_generation(Agent& agent) {
  agent.generation = TRY(txn_.next_unique());
  agent.cgroup = "a" + std::to_string(agent.number) + "-" + std::to_string(agent.generation);
  agent.pid = 0;
  agent.pid_start_time = 0;
  agent.boot_id.clear();
  agent.health = Health::unknown;
  return txn_.save_agent(agent);
}

Result<Agent> LifecycleManager::spawn(const AgentDefinition& definition) {
  TRY_STATUS(check_id(definition.id, "agent id"));
  // Its logs are in a directory of its name, beside the files that we write.
  if (definition.id.starts_with("supervisor.") || definition.id.starts_with("egress."))
    return fail(ErrorCode::usage, "agent id " + definition.id + " is the name of a log of fabric",
                "choose another id");
  if (TRY(txn_.find_agent(definition.id)))
    return fail(ErrorCode::failed, "agent " + definition.id + " already exists",
                "choose another id, or end it first with: fabric terminate " + definition.id);
  Agent agent;
  agent.definition = definition;
  agent.spawned_at = now_;
  TRY_STATUS(txn_.save_agent(agent));  // assigns the number that the cgroup name needs
  TRY_STATUS(new_generation(agent));
  TRY_STATUS(note(EventKind::agent_spawned, agent, std::string(to_string(definition.kind))));
  return agent;
}

Result<Agent> LifecycleManager::spawn_external(const AgentDefinition& definition) {
  Agent agent = TRY(spawn(definition));
  TRY_STATUS(apply(agent, AgentEvent::sandbox_ready));
  agent.started_at = now_;
  TRY_STATUS(txn_.save_agent(agent));
  return agent;
}

Status LifecycleManager::note(EventKind kind, const Agent& agent, std::string detail) {
  Event event;
  event.kind = kind;
  event.at = now_;
  event.agent = agent.definition.id;
  event.detail = std::move(detail);
  return txn_.add_event(event);
}

Result<Agent> LifecycleManager::start_again(std::string_view id, bool after_a_loss) {
  Agent agent = TRY(find(id));
  if (after_a_loss) agent.restarts += 1;
  TRY_STATUS(apply(agent, AgentEvent::start));
  agent.detail.clear();
  TRY_STATUS(new_generation(agent));
  TRY_STATUS(note(EventKind::agent_state, agent,
                  after_a_loss ? "starting: its sandbox was lost" : "starting"));
  return agent;
}

Result<Agent> LifecycleManager::sandbox_ready(std::string_view id, pid_t pid,
                                              uint64_t pid_start_time, const std::string& boot_id,
                                              const std::string& disk_quota,
                                              std::vector<std::string> degraded) {
  Agent agent = TRY(find(id));
  TRY_STATUS(apply(agent, AgentEvent::sandbox_ready));
  agent.pid = pid;
  agent.pid_start_time = pid_start_time;
  agent.boot_id = boot_id;
  agent.disk_quota = disk_quota;
  agent.degraded = std::move(degraded);
  agent.started_at = now_;
  agent.health = Health::healthy;
  agent.detail.clear();
  TRY_STATUS(txn_.save_agent(agent));
  TRY_STATUS(note(EventKind::agent_state, agent, "ready"));
  return agent;
}

Result<Agent> LifecycleManager::change(std::string_view id, AgentEvent event, std::string detail) {
  Agent agent = TRY(find(id));
  TRY_STATUS(apply(agent, event));
  agent.detail = std::move(detail);
  if (agent.state != AgentState::ready) agent.health = Health::unknown;
  if (agent.state == AgentState::failed) agent.health = Health::unhealthy;
  if (event == AgentEvent::down || event == AgentEvent::give_up ||
      event == AgentEvent::sandbox_failed) {
    agent.pid = 0;
    agent.pid_start_time = 0;
  }
  TRY_STATUS(txn_.save_agent(agent));
  TRY_STATUS(note(
      EventKind::agent_state, agent,
      std::string(to_string(agent.state)) + (agent.detail.empty() ? "" : ": " + agent.detail)));
  return agent;
}

Status LifecycleManager::remove(std::string_view id) {
  const Agent agent = TRY(find(id));
  TRY_STATUS(note(EventKind::agent_removed, agent, ""));
  return txn_.remove_agent(id);
}

std::vector<Agent> LifecycleManager::list_agents(std::vector<Agent> all,
                                                 const AgentFilters& filters) {
  std::erase_if(all, [&](const Agent& a) {
    return (!filters.model.empty() && a.definition.model != filters.model) ||
           (filters.state && a.state != *filters.state) ||
           (filters.health && a.health != *filters.health);
  });
  return all;
}

}  // namespace fabric
