// SPDX-License-Identifier: Apache-2.0
// What sandboxes deny, in the supervisor: who reports it, and what the ends of tasks say of it.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "supervisor/core.hpp"
#include "supervisor/output_hint.hpp"
#include "supervisor/task_files.hpp"

namespace fabric {
namespace {

constexpr size_t k_tail = 4096;

std::string tail_of(const std::string& path) {
  std::string text;
  Result<Fd> file = open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file) return text;
  const off_t size = ::lseek(file->get(), 0, SEEK_END);
  std::array<char, k_tail> bytes;
  const off_t from = std::max<off_t>(0, size - off_t{k_tail});
  const ssize_t got = ::pread(file->get(), bytes.data(), bytes.size(), from);
  if (got > 0) text.assign(bytes.data(), static_cast<size_t>(got));
  return text;
}

// The limit has been said in the reason already; here it is for those who look at the agent.
Violation over_memory(const AgentDefinition& definition) {
  const uint64_t mebibytes = definition.limits.memory_bytes >> 20;
  Violation v;
  v.kind = ViolationKind::memory;
  v.what = "memory";
  v.rule = "isolation.memory_mb = " + std::to_string(mebibytes);
  v.allow = "isolation.memory_mb = " + std::to_string(2 * mebibytes);
  v.source = ViolationSource::limit;
  return v;
}

}  // namespace

void SupervisorCore::denied_call(const std::string& id, const DeniedCall& denied) {
  const Entry* entry = find(id);
  if (entry == nullptr || !entry->host) return;
  violations_->add(entry->agent, entry->host->runner().task_of(denied.attempt), denied);
}

void SupervisorCore::report(const std::string& id, Violation violation) {
  if (const Entry* entry = find(id)) violations_->add(entry->agent, std::move(violation));
}

void SupervisorCore::say_what_was_denied(const std::string& id, const Task& task,
                                         Outcome& outcome) {
  const Entry* entry = find(id);
  if (entry == nullptr || outcome.state == TaskState::completed) return;
  if (outcome.reason == Reason::memory) {
    Violation violation = over_memory(entry->agent.definition);
    violation.task = task.id;
    violation.attempt_id = task.attempt_id;
    return report(id, std::move(violation));
  }
  const bool by_itself = outcome.reason == Reason::exit || outcome.reason == Reason::signal ||
                         outcome.reason == Reason::error;
  const bool walls = entry->agent.definition.isolation != IsolationLevel::none;
  if (!by_itself || !walls) return;
  std::string likely = violations_->likely(entry->agent, task);
  if (likely.empty() && outcome.stderr_bytes != 0) {
    auto hint = hint_in(tail_of(error_path(workspace_, task)));
    if (!hint) return;
    hint->task = task.id;
    hint->attempt_id = task.attempt_id;
    report(id, std::move(*hint));
    likely = violations_->likely(entry->agent, task);
  }
  if (!likely.empty()) outcome.detail += std::string(k_likely) + likely;
}

}  // namespace fabric
