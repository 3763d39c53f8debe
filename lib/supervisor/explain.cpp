// SPDX-License-Identifier: Apache-2.0
#include "supervisor/explain.hpp"

#include "supervisor/explain_pending.hpp"

namespace fabric {
namespace {

constexpr size_t k_longest_chain = 20;  // of dependencies that are named

class Explainer {
 public:
  Explainer(const store::ReadTxn& txn, const Clock& clock, Explanation& out)
      : txn_(txn), clock_(clock), out_(out) {}

  Status running() {
    const Task& task = out_.task;
    std::string text = "it runs on agent " + task.agent + ", attempt " +
                       std::to_string(task.attempt) + ", started " + since(task.started_at);
    if (task.lease_until.set()) text += ", claimed until " + human(task.lease_until, clock_.now());
    add("running", text);
    if (task.timeout.ns != 0) add("limit", "it is stopped after " + human(task.timeout));
    if (task.deadline.set())
      add("limit", "it must have ended by " + human(task.deadline, clock_.now()));
    // For what is claimed, the lease is that sign.
    if (task.no_progress_timeout.ns != 0 && !task.lease_until.set())
      add("limit", "it is stopped when it gives no sign for " + human(task.no_progress_timeout));
    if (task.reason == Reason::user || task.reason == Reason::agent_gone)
      add("stopping", "it was asked to stop");
    out_.next = "fabric logs " + task.id + " --follow";
    return {};
  }

  Status ended() {
    const Task& task = out_.task;
    std::string text =
        "it ended as " + std::string(to_string(task.state)) + " " + since(task.finished_at);
    if (!task.detail.empty()) text += ": " + task.detail;
    add(std::string(to_string(task.state)), text);
    TRY_STATUS(chain());
    for (const Attempt& attempt : TRY(txn_.attempts(task.sequence)))
      add("attempt", (attempt.late ? "a late answer to attempt " : "attempt ") +
                         std::to_string(attempt.number) + " on " + attempt.agent + ": " +
                         std::string(to_string(attempt.state)) +
                         (attempt.detail.empty() ? "" : ", " + attempt.detail));
    if (!task.retried_as.empty())
      add("retried", "it was retried as " + task.retried_as);
    else if (task.state != TaskState::completed && out_.next.empty())
      out_.next = "fabric retry " + task.id;
    return {};
  }

 private:
  // Down to the one that went wrong by itself.
  Status chain() {
    Task task = out_.task;
    for (size_t i = 0; i < k_longest_chain && task.reason == Reason::dependency; ++i) {
      std::optional<Task> culprit;
      for (const std::string& id : task.depends_on) {
        std::optional<Task> other = TRY(txn_.find_task(id));
        if (!other || !is_terminal(other->state) || other->state == TaskState::completed) continue;
        culprit = std::move(other);
        break;
      }
      if (!culprit) return {};
      add("dependency", "it needed " + culprit->id + ", which ended as " +
                            std::string(to_string(culprit->state)) +
                            (culprit->detail.empty() ? "" : ": " + culprit->detail));
      task = *std::move(culprit);
    }
    if (task.id != out_.task.id) out_.next = "fabric explain " + task.id;
    return {};
  }

  void add(std::string kind, std::string text) {
    out_.reasons.push_back({std::move(kind), std::move(text)});
  }
  [[nodiscard]] std::string since(WallTime t) const { return human(clock_.now() - t) + " ago"; }

  const store::ReadTxn& txn_;
  const Clock& clock_;
  Explanation& out_;
};

}  // namespace

Result<Explanation> explain(const store::ReadTxn& txn, const DispatchRules& rules,
                            std::string_view id, bool supervised, const Clock& clock) {
  std::optional<Task> task = TRY(txn.find_task(id));
  if (!task && TRY(txn.find_recurring(id)))
    return fail(
        ErrorCode::not_found,
        "task " + std::string(id) + " is recurring: its runs are the tasks that wait or ran",
        "'fabric status " + std::string(id) + "' shows it with its last run");
  if (!task)
    return fail(ErrorCode::not_found, "task " + std::string(id) + " not found",
                "list tasks with: fabric tasks");
  Explanation explanation;
  explanation.task = *std::move(task);
  Explainer explainer(txn, clock, explanation);
  switch (explanation.task.state) {
    case TaskState::pending:
      TRY_STATUS(explain_pending(txn, rules, supervised, clock, explanation));
      break;
    case TaskState::running:
      TRY_STATUS(explainer.running());
      break;
    default:
      TRY_STATUS(explainer.ended());
  }
  return explanation;
}

}  // namespace fabric
