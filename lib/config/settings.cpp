// SPDX-License-Identifier: Apache-2.0
#include "config/settings.hpp"

#include <unistd.h>

#include "base/id.hpp"
#include "base/users.hpp"
#include "config/load.hpp"
#include "model/command_template.hpp"

namespace fabric::config {
namespace {

Status first_of(const std::vector<Problem>& problems) {
  if (problems.empty()) return {};
  Error error = problems[0].error;
  if (problems.size() > 1)
    error.message += " (and " + std::to_string(problems.size() - 1) + " more: fabric config check)";
  return fail(std::move(error));
}

std::string login_name() {
  const uid_t uid = ::geteuid();
  const auto user = find_user(uid);
  return user && is_valid_id(user->name) ? user->name : std::to_string(uid);
}

template <class T>
void take(const std::optional<T>& flag, T& value) {
  if (flag) value = *flag;
}

Status apply_sandbox_flags(const AgentFlags& flags, AgentDefinition& agent) {
  Limits& limits = agent.limits;
  take(flags.nofile, limits.nofile);
  take(flags.io_weight, limits.io_weight);
  take(flags.file_size_bytes, limits.file_size_bytes);
  take(flags.disk_bytes, limits.disk_bytes);
  take(flags.tmp_bytes, limits.tmp_bytes);
  take(flags.shm_bytes, limits.shm_bytes);
  take(flags.output_rate, limits.output_rate);
  take(flags.egress_rate, limits.egress_rate);
  SandboxOptions& sandbox = agent.sandbox;
  take(flags.root, sandbox.root);
  take(flags.work, sandbox.work);
  take(flags.seccomp, sandbox.seccomp);
  take(flags.protect_git, sandbox.protect_git);
  take(flags.degrade, sandbox.degrade);
  take(flags.learn, sandbox.learn);
  for (const SandboxList& list : sandbox_lists())
    for (const std::string& rule : flags.rules.*list.member) (sandbox.*list.member).push_back(rule);
  agent.egress_given = flags.rules.egress;
  return check_sandbox_options(sandbox);
}

Status apply_flags(const AgentFlags& flags, AgentDefinition& agent) {
  if (flags.kind) agent.kind = *flags.kind;
  if (flags.command) agent.command = *flags.command;
  if (flags.model) agent.model = *flags.model;
  if (flags.user) agent.user = *flags.user;
  if (flags.tools) agent.tools = *flags.tools;
  if (flags.isolation) agent.isolation = *flags.isolation;
  if (flags.memory_bytes) agent.limits.memory_bytes = *flags.memory_bytes;
  if (flags.cpu_millicores) agent.limits.cpu_millicores = *flags.cpu_millicores;
  if (flags.pids) agent.limits.pids = *flags.pids;
  TRY_STATUS(apply_sandbox_flags(flags, agent));
  if (flags.max_concurrent_tasks) agent.max_concurrent_tasks = *flags.max_concurrent_tasks;
  if (flags.max_queue_depth) agent.max_queue_depth = *flags.max_queue_depth;
  if (flags.pool) agent.pool = *flags.pool;
  if (agent.max_concurrent_tasks < 1 || agent.max_concurrent_tasks > k_most_concurrent_tasks)
    return fail(ErrorCode::usage,
                "max_concurrent_tasks is from 1 to " + std::to_string(k_most_concurrent_tasks));
  if (agent.max_queue_depth < 1 || agent.max_queue_depth > k_most_tasks)
    return fail(ErrorCode::usage, "max_queue_depth is from 1 to " + std::to_string(k_most_tasks));
  if (!agent.pool.empty()) TRY_STATUS(check_id(agent.pool, "pool"));
  if (flags.user) TRY_STATUS(check_id(*flags.user, "user"));
  TRY_STATUS(check_plain_text("the model", agent.model));
  for (const std::string& tool : agent.tools) TRY_STATUS(check_plain_text("a tool", tool));
  for (const auto& [name, value] : flags.labels) {
    TRY_STATUS(check_label(name, value));
    put(agent.labels, name, value);
  }
  for (const auto& [name, value] : flags.env) {
    TRY_STATUS(check_env(name, value));
    put(agent.env, name, value);
  }
  return {};
}

// Of an external agent nothing is started: it claims its tasks by itself.
Status check_agent_command(const Workspace& workspace, const std::string& id,
                           const AgentFlags& flags, AgentDefinition& agent) {
  if (agent.kind == AgentKind::external) {
    if (flags.command)
      return fail(ErrorCode::usage, "agent " + id + " is external: fabric starts no command for it",
                  "leave out what follows '--', or choose --kind exec or --kind worker");
    agent.command.clear();
    return {};
  }
  if (agent.command.empty())
    return fail(ErrorCode::usage, "agent " + id + " has no command",
                "give one after --, or write it into " + workspace.agent_file(id));
  return in_context(check_command(agent.command), "agent " + id);
}

Result<AgentDefinition> agent_of_files(const Workspace& workspace, const std::string& id) {
  TRY_STATUS(check_id(id, "agent id"));
  Draft draft;
  std::vector<Problem> problems;
  apply_settings_layers(workspace, draft, problems);
  apply_agent_layer(workspace, id, draft, problems);
  TRY_STATUS(first_of(problems));
  return std::move(draft.settings.agent_defaults);
}

}  // namespace

Result<Settings> load_settings(const Workspace& workspace) {
  Draft draft;
  std::vector<Problem> problems;
  apply_settings_layers(workspace, draft, problems);
  TRY_STATUS(first_of(problems));
  return std::move(draft.settings);
}

Result<AgentDefinition> load_agent(const Workspace& workspace, const std::string& id,
                                   const AgentFlags& flags) {
  AgentDefinition agent = TRY(agent_of_files(workspace, id));
  TRY_STATUS(apply_flags(flags, agent));
  TRY_STATUS(check_agent_command(workspace, id, flags, agent));
  if (agent.user.empty()) agent.user = login_name();
  return agent;
}

Result<std::vector<std::string>> load_egress(const Workspace& workspace, const std::string& id) {
  return TRY(agent_of_files(workspace, id)).sandbox.egress;
}

Result<AgentDefinition> sandbox_of_flags(const AgentFlags& flags) {
  AgentDefinition agent;
  TRY_STATUS(apply_flags(flags, agent));
  return agent;
}

}  // namespace fabric::config
