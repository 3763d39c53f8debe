// SPDX-License-Identifier: Apache-2.0
#include "history.hpp"

#include <algorithm>
#include <set>

namespace fabric::crash {
namespace {

using Kind = Step::Kind;

class Judge {
 public:
  explicit Judge(const Capacity& capacity) : capacity_(capacity) {}

  void see(const Step& step) {
    if (step.kind == Kind::scheduled) return scheduled(step);
    const auto found = tasks_.find(step.id);
    if (found == tasks_.end()) return broken(step, "was never scheduled");
    Seen& seen = found->second;
    tell(step, seen);
    if (seen.removed) return broken(step, "was removed, and came back");
    if (step.kind == Kind::removed) {
      if (!seen.end) broken(step, "was removed before its end");
      seen.removed = true;
      return;
    }
    if (seen.end)
      return broken(step, step.kind == Kind::ended ? "ended twice" : "went on after its end");
    if (step.kind == Kind::changed) seen.task = step.task;
    if (step.kind == Kind::started) started(step, seen);
    if (step.kind == Kind::over) over(step, seen);
    if (step.kind == Kind::ended) ended(step, seen);
  }

  std::vector<std::string> verdict(bool complete) {
    if (complete)
      for (const auto& [id, seen] : tasks_)
        if (!seen.end) problems_.push_back("task " + id + ": never ended");
    return std::move(problems_);
  }

 private:
  struct Seen {
    std::shared_ptr<const Task> task;
    uint64_t running = 0;  // attempt id
    std::string agent;
    std::optional<TaskState> end;
    bool removed = false;
    std::string story;
  };

  static void tell(const Step& step, Seen& seen) {
    static constexpr const char* k_words[] = {"scheduled", "changed", "started",
                                              "over",      "ended",   "removed"};
    if (!seen.story.empty()) seen.story += ", ";
    seen.story += k_words[static_cast<size_t>(step.kind)];
    if (step.kind == Kind::ended) seen.story += " " + std::string(fabric::to_string(step.state));
    if (step.attempt_id != 0) seen.story += " as " + std::to_string(step.attempt_id);
  }

  void broken(const Step& step, const std::string& what) {
    const auto seen = tasks_.find(step.id);
    problems_.push_back("task " + step.id + ": " + what +
                        (seen == tasks_.end() ? "" : " (" + seen->second.story + ")"));
  }

  void scheduled(const Step& step) {
    if (!tasks_.emplace(step.id, Seen{step.task, 0, {}, {}, false, {}}).second)
      broken(step, "scheduled twice");
  }

  void started(const Step& step, Seen& seen) {
    if (seen.running != 0) broken(step, "started while it ran");
    if (!given_.insert(step.attempt_id).second)
      broken(step, "attempt id " + std::to_string(step.attempt_id) + " given again");
    if (seen.task->start_at > step.at) broken(step, "started before its time");
    if (!may_start(*seen.task)) broken(step, "started before its dependencies allowed it");
    seen.running = step.attempt_id;
    seen.agent = step.agent;
    const std::string& key = seen.task->exclusive;
    if (!key.empty() && !keys_.insert(key).second)
      broken(step, "ran beside another with exclusive key " + key);
    for (const auto& [label, count] : seen.task->slots) {
      const auto limit = std::find_if(capacity_.labels.begin(), capacity_.labels.end(),
                                      [&label = label](const auto& l) { return l.first == label; });
      if ((labels_[label] += count) > (limit == capacity_.labels.end() ? 0 : limit->second))
        broken(step, "took more slots of " + label + " than there are");
    }
    const auto agent = capacity_.agents.find(step.agent);
    if (agent == capacity_.agents.end() || ++agents_[step.agent] > agent->second)
      broken(step, "one too many of agent " + step.agent);
  }

  bool may_start(const Task& task) const {
    size_t ended = 0;
    size_t completed = 0;
    for (const std::string& id : task.depends_on) {
      const auto found = tasks_.find(id);
      if (found == tasks_.end() || !found->second.end) continue;
      ++ended;
      completed += *found->second.end == TaskState::completed;
    }
    if (task.depends_on.empty()) return true;
    if (task.after == AfterPolicy::any) return completed > 0;
    const size_t needed = task.after == AfterPolicy::finish ? ended : completed;
    return needed == task.depends_on.size();
  }

  void over(const Step& step, Seen& seen) {
    if (seen.running == 0 || seen.running != step.attempt_id)
      return broken(step, "an attempt ended that did not run");
    seen.running = 0;
    if (!seen.task->exclusive.empty()) keys_.erase(seen.task->exclusive);
    for (const auto& [label, count] : seen.task->slots) labels_[label] -= count;
    --agents_[seen.agent];
  }

  void ended(const Step& step, Seen& seen) {
    if (step.attempt_id != 0 || seen.running != 0) over(step, seen);
    if (step.state == TaskState::completed && step.attempt_id == 0)
      broken(step, "completed without an attempt");
    seen.end = step.state;
  }

  const Capacity& capacity_;
  std::map<std::string, Seen> tasks_;
  std::set<uint64_t> given_;
  std::set<std::string> keys_;
  std::map<std::string, uint32_t> labels_, agents_;
  std::vector<std::string> problems_;
};

}  // namespace

std::string to_string(const Snapshot& s) {
  std::string text(fabric::to_string(s.state));
  if (s.stop_asked) text += " (to stop)";
  text += " attempt " + std::to_string(s.attempt) + " id " + std::to_string(s.attempt_id);
  text += " retries " + std::to_string(s.retries) + " lost " + std::to_string(s.lost_attempts);
  return text + " kept " + std::to_string(s.attempts_kept) + " result '" + s.result + "'";
}

std::vector<std::string> broken_promises(const std::vector<Step>& history, const Capacity& capacity,
                                         bool complete) {
  Judge judge(capacity);
  for (const Step& step : history) judge.see(step);
  return judge.verdict(complete);
}

}  // namespace fabric::crash
