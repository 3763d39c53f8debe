// SPDX-License-Identifier: Apache-2.0
#include "supervisor/violations.hpp"

#include <algorithm>

#include "telemetry/log.hpp"

namespace fabric {
namespace {

constexpr size_t k_kept_a_second = 16;  // different ones of an agent
constexpr size_t k_recent = 64;         // of an agent, for the reasons of its tasks
constexpr size_t k_most_lines = 256;
constexpr Duration k_pause = Duration::seconds(1);
constexpr Duration k_still_the_same = Duration::seconds(5);

template <class Found>
bool count_up(Found found, Found end, const Violation& violation) {
  if (found == end) return false;
  found->count += violation.count;
  found->last_at = std::max(found->last_at, violation.last_at);
  return true;
}

}  // namespace

void ViolationLog::add(const Agent& agent, Violation violation) {
  violation.agent_number = agent.number;
  violation.agent = agent.definition.id;
  if (!violation.at.set()) violation.at = clock_.now();
  violation.last_at = std::max(violation.last_at, violation.at);
  tidy(violation);
  const auto same = [&](const Violation& v) { return same_violation(v, violation); };

  std::deque<Violation>& recent = recent_[agent.number];
  if (!count_up(std::find_if(recent.begin(), recent.end(), same), recent.end(), violation)) {
    recent.push_back(violation);
    if (recent.size() > k_recent) recent.pop_front();
  }
  std::vector<Violation>& waiting = unwritten_[agent.number];
  if (!count_up(std::find_if(waiting.begin(), waiting.end(), same), waiting.end(), violation) &&
      waiting.size() < k_kept_a_second)
    waiting.push_back(std::move(violation));
  if (waiting_) return;
  write_now();
  // What comes within the next second is written together.
  waiting_ = true;
  loop_.after(k_pause, [this] {
    waiting_ = false;
    write_now();
  });
}

void ViolationLog::write_now() {
  if (unwritten_.empty()) return;
  writer_.post(
      [all = std::move(unwritten_)](store::WriteTxn& txn, Dispatcher&) -> Status {
        for (const auto& [number, violations] : all)
          for (Violation violation : violations) TRY_STATUS(txn.add_violation(violation));
        return {};
      },
      [](Status status) {
        if (!status) log::warn("violations not stored", {{"error", status.error().message}});
      });
  unwritten_.clear();
}

void ViolationLog::add(const Agent& agent, const std::string& task, const DeniedCall& denied) {
  Violation violation;
  violation.at = denied.at;
  violation.count = denied.count;
  violation.task = task;
  violation.attempt_id = denied.attempt;
  violation.pid = denied.pid;
  violation.process = denied.process;
  violation.kind = ViolationKind::call;
  violation.what = describe_call(denied);
  violation.rule = denied.rule;
  violation.allow = allow_line(agent.definition.sandbox.seccomp, denied);
  violation.source = ViolationSource::filter;
  add(agent, std::move(violation));
}

// Tried out: a line that would be refused is no help.
std::string ViolationLog::allow_line(const std::string& selection, const DeniedCall& denied) {
  const bool unlisted = denied.rule == "not listed";
  std::string what = unlisted ? seccomp_call_name(denied.call) : denied.rule;
  std::replace(what.begin(), what.end(), ' ', '-');
  const std::string wanted = selection + "+" + what;
  if (const auto known = allow_lines_.find(wanted); known != allow_lines_.end())
    return known->second;
  const bool works = policies_.get(wanted).has_value();
  if (allow_lines_.size() >= k_most_lines) allow_lines_.clear();
  return allow_lines_[wanted] = works ? "isolation.seccomp = \"" + wanted + "\"" : "";
}

// The last that is sure; else the last hint.
std::string ViolationLog::likely(const Agent& agent, const Task& task) const {
  const auto found = recent_.find(agent.number);
  if (found == recent_.end()) return "";
  const Violation* best = nullptr;
  for (const Violation& v : found->second) {
    if (v.task != task.id || v.at < task.started_at) continue;
    if (v.source == ViolationSource::limit) continue;  // the reason has said it in its own words
    if (best == nullptr || best->hint || !v.hint) best = &v;
  }
  return best != nullptr ? explain_violation(*best) : "";
}

std::string ViolationLog::task_denied_the_same(const Agent& agent,
                                               const Violation& violation) const {
  const auto found = recent_.find(agent.number);
  if (found == recent_.end()) return "";
  for (auto known = found->second.rbegin(); known != found->second.rend(); ++known)
    if (known->kind == violation.kind && known->what == violation.what &&
        known->rule == violation.rule && !known->task.empty() &&
        violation.at - known->last_at < k_still_the_same)
      return known->task;
  return "";
}

void ViolationLog::forget(const Agent& agent) { recent_.erase(agent.number); }

}  // namespace fabric
