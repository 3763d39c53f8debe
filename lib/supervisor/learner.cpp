// SPDX-License-Identifier: Apache-2.0
#include "supervisor/learner.hpp"

#include "base/fd.hpp"
#include "telemetry/log.hpp"

namespace fabric {
namespace {

constexpr Duration k_pause = Duration::seconds(1);
constexpr size_t k_longest_file = size_t{16} << 20;

Status write_learned(const std::string& path, const LearnedPolicy& policy,
                     const SandboxOptions& options, const std::vector<std::string>& command) {
  return write_file_atomically(path, TRY(learned_toml(policy, options, command)), 0600);
}

}  // namespace

Learner::Entry& Learner::entry_of(const Agent& agent) {
  const std::string& id = agent.definition.id;
  const auto [at, fresh] = agents_.try_emplace(id);
  Entry& entry = at->second;
  if (!fresh) return entry;
  entry.options = agent.definition.sandbox;
  entry.command = agent.definition.command;
  const std::string path = workspace_.learned_file(id);
  const auto text = read_file(path, k_longest_file);
  if (!text) return entry;
  auto known = read_learned(*text);
  if (known)
    entry.policy = std::move(*known);
  else
    log::warn("what was learned before is not added to",
              {{"agent", id}, {"file", path}, {"error", known.error().message}});
  return entry;
}

void Learner::add(const Agent& agent, const LearnedUse& use) {
  learn(entry_of(agent).policy, use);
  write_later(agent.definition.id);
}

void Learner::add_host(const Agent& agent, const std::string& host, int64_t port, bool is_private) {
  if (!agent.definition.sandbox.learn) return;
  if (learn_host(entry_of(agent).policy, host, port, is_private)) write_later(agent.definition.id);
}

void Learner::run_ended(const Agent& agent, std::function<void()> written) {
  ++entry_of(agent).policy.runs;
  write(agent.definition.id, std::move(written));
}

// What a worker needs is known while it runs.
void Learner::write_later(const std::string& id) {
  Entry& entry = agents_.at(id);
  if (entry.waiting) return;
  entry.waiting = true;
  loop_.after(k_pause, [this, id] {
    const auto found = agents_.find(id);
    if (found == agents_.end()) return;
    found->second.waiting = false;
    write(id, [] {});
  });
}

void Learner::write(const std::string& id, std::function<void()> written) {
  const Entry& entry = agents_.at(id);
  launcher_.post([path = workspace_.learned_file(id), policy = entry.policy,
                  options = entry.options, command = entry.command, id,
                  written = std::move(written)](IsolationManager&) {
    const Status status = write_learned(path, policy, options, command);
    return std::function<void()>([status, id, written] {
      if (!status)
        log::error("what was learned is not kept",
                   {{"agent", id}, {"error", status.error().message}});
      written();
    });
  });
}

}  // namespace fabric
