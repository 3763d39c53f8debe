// SPDX-License-Identifier: Apache-2.0
#include "supervisor/explain.hpp"

#include <algorithm>

namespace fabric {
namespace {

constexpr uint64_t k_counted = 100000;  // tasks before it are counted as far as this
constexpr size_t k_named = 5;

std::string plural(uint64_t n, const std::string& noun) {
  return std::to_string(n) + " " + noun + (n == 1 ? "" : "s");
}

// "a, b, c and 4 more"
std::string names(const std::vector<std::string>& all) {
  std::string text;
  for (size_t i = 0; i < all.size() && i < k_named; ++i) text += (i == 0 ? "" : ", ") + all[i];
  if (all.size() > k_named) text += " and " + std::to_string(all.size() - k_named) + " more";
  return text;
}

class Explainer {
 public:
  Explainer(const store::ReadTxn& txn, const DispatchRules& rules, bool supervised,
            const Clock& clock, Explanation& out)
      : txn_(txn), rules_(rules), supervised_(supervised), clock_(clock), out_(out) {}

  Status run() {
    const Task& task = out_.task;
    if (task.state == TaskState::running) return running();
    if (is_terminal(task.state)) return ended();
    TRY_STATUS(held_back());
    if (task.reason == Reason::queued) TRY_STATUS(ready());
    if (!supervised_ && !claims_by_hand_) {
      add("no_supervisor", "no supervisor runs, so nothing starts");
      out_.next = "fabric up --detach";
    }
    return {};
  }

 private:
  void add(std::string kind, std::string text) {
    out_.reasons.push_back({std::move(kind), std::move(text)});
  }
  [[nodiscard]] std::string since(WallTime t) const { return human(clock_.now() - t) + " ago"; }

  Status running() {
    const Task& task = out_.task;
    std::string text = "it runs on agent " + task.agent + ", attempt " +
                       std::to_string(task.attempt) + ", started " + since(task.started_at);
    if (task.lease_until.set()) text += ", claimed until " + human(task.lease_until, clock_.now());
    add("running", text);
    if (task.timeout.ns != 0) add("limit", "it is stopped after " + human(task.timeout));
    if (task.deadline.set())
      add("limit", "it must have ended by " + human(task.deadline, clock_.now()));
    if (task.no_progress_timeout.ns != 0)
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
    for (const Attempt& attempt : TRY(txn_.attempts(task.sequence)))
      add("attempt", (attempt.late ? "a late answer to attempt " : "attempt ") +
                         std::to_string(attempt.number) + " on " + attempt.agent + ": " +
                         std::string(to_string(attempt.state)) +
                         (attempt.detail.empty() ? "" : ", " + attempt.detail));
    if (!task.retried_as.empty())
      add("retried", "it was retried as " + task.retried_as);
    else if (task.state != TaskState::completed)
      out_.next = "fabric retry " + task.id;
    return {};
  }

  Status held_back() {
    const Task& task = out_.task;
    if (task.reason == Reason::dependency) {
      for (const std::string& id : task.depends_on) {
        const std::optional<Task> other = TRY(txn_.find_task(id));
        if (other && !is_terminal(other->state))
          add("dependency",
              "it waits for " + id + ", which is " + std::string(to_string(other->state)));
      }
      if (task.after != AfterPolicy::success)
        add("dependency", "its policy is " + std::string(to_string(task.after)));
    }
    if (task.reason == Reason::not_before) {
      add("not_before", "it starts not before " + human(task.not_before, clock_.now()) + ", in " +
                            human(task.not_before - clock_.now()));
      if (task.retries > 0)
        add("retry", "that is the pause before its retry " + std::to_string(task.retries) + " of " +
                         std::to_string(task.retry.limit) +
                         (task.detail.empty() ? "" : ": " + task.detail));
    }
    if (task.reason == Reason::exclusive) {
      const std::optional<uint64_t> holder = TRY(txn_.exclusive_holder(task.exclusive));
      const std::optional<Task> other = holder ? TRY(txn_.find_task(*holder)) : std::nullopt;
      add("exclusive", "its key '" + task.exclusive + "' is held by " +
                           (other ? other->id + ", which is " + std::string(to_string(other->state))
                                  : std::string("nobody")));
    }
    return {};
  }

  // Nothing holds it back: then it is a matter of slots, pauses, and its turn.
  Status ready() {
    const Task& task = out_.task;
    Dispatcher dispatcher(rules_, clock_);
    const std::vector<Agent> agents = TRY(serving());
    for (const Agent& agent : agents)
      if (agent.state == AgentState::ready) dispatcher.available(agent);
    TRY_STATUS(dispatcher.load(txn_));
    const Gate gate = dispatcher.queue().gate_of(task.lane);
    TRY_STATUS(pauses());
    switch (gate) {
      case Gate::no_agent:
        no_agent(agents);
        break;
      case Gate::agent_slots:
        TRY_STATUS(busy(agents));
        break;
      case Gate::pool_slots:
        add("pool_slots", "the pool of its agent has no free slot ([scheduler] pools)");
        break;
      case Gate::workspace_slots:
        add("workspace_slots", "the workspace runs as many tasks as it may: " +
                                   std::to_string(rules_.workspace_slots) +
                                   " ([scheduler] max_concurrent_tasks)");
        break;
      case Gate::label_slots:
        TRY_STATUS(labels(dispatcher));
        break;
      case Gate::pressure:
        break;  // told below, from what the supervisor has written
      default:
        break;
    }
    const std::string pressure = TRY(txn_.supervisor()).pressure;
    if (!pressure.empty() && task.lane.level >= Priority::normal)
      add("pressure", "the machine is short, and less urgent tasks wait: " + pressure);
    return turn();
  }

  Status pauses() {
    const Task& task = out_.task;
    for (const Pause& pause : TRY(txn_.pauses())) {
      const bool concerns =
          pause.kind == PauseKind::workspace ||
          (pause.kind == PauseKind::agent && pause.name == task.agent) ||
          (pause.kind == PauseKind::share && pause.name == task.share) ||
          (pause.kind == PauseKind::priority && pause.name == to_string(task.lane.level));
      if (!concerns) continue;
      add("paused", describe(pause) + " is paused since " + human(pause.since, clock_.now()) +
                        (pause.user.empty() ? "" : ", by " + pause.user));
      out_.next = pause.kind == PauseKind::workspace ? "fabric resume --all"
                  : pause.kind == PauseKind::agent   ? "fabric resume " + pause.name
                  : pause.kind == PauseKind::share   ? "fabric resume --share " + pause.name
                                                     : "fabric resume --priority " + pause.name;
    }
    return {};
  }

  // Agents that may take it.
  Result<std::vector<Agent>> serving() {
    const Task& task = out_.task;
    std::vector<Agent> agents = TRY(txn_.list_agents());
    if (task.require.empty()) {
      std::erase_if(agents, [&](const Agent& a) { return a.number != task.lane.queue; });
    } else {
      std::vector<std::string> lacking;
      for (const Agent& agent : agents)
        if (!satisfies(agent.definition, task.require)) lacking.push_back(agent.definition.id);
      std::erase_if(agents, [&](const Agent& a) { return !satisfies(a.definition, task.require); });
      std::vector<std::string> fit;
      for (const Agent& agent : agents) fit.push_back(agent.definition.id);
      add("require", "it needs " + to_string(task.require) + ": " +
                         (fit.empty() ? "no agent has that" : names(fit) + " fit") +
                         (lacking.empty() ? "" : "; " + names(lacking) + " do not"));
    }
    claims_by_hand_ = std::any_of(agents.begin(), agents.end(), [](const Agent& a) {
      return a.definition.kind == AgentKind::external;
    });
    return agents;
  }

  void no_agent(const std::vector<Agent>& agents) {
    if (agents.empty() && out_.task.require.empty())
      add("no_agent", "its agent " + out_.task.agent + " is gone");
    for (const Agent& agent : agents)
      if (agent.state != AgentState::ready)
        add("no_agent", "agent " + agent.definition.id + " is " +
                            std::string(to_string(agent.state)) +
                            (agent.detail.empty() ? "" : ": " + agent.detail));
  }

  Status busy(const std::vector<Agent>& agents) {
    for (const Agent& agent : agents) {
      std::vector<std::string> ids;
      for (uint64_t sequence : TRY(txn_.running_tasks(agent.number)))
        if (const std::optional<Task> other = TRY(txn_.find_task(sequence)))
          ids.push_back(other->id);
      add("agent_slots",
          "agent " + agent.definition.id + " is busy: " + std::to_string(ids.size()) + " of " +
              plural(agent.definition.max_concurrent_tasks, "slot") + " in use by " + names(ids));
    }
    return {};
  }

  Status labels(const Dispatcher& dispatcher) {
    const std::string label = dispatcher.queue().missing_label(out_.task.lane.slot_class);
    std::vector<std::string> holders;
    for (uint64_t sequence : TRY(txn_.running_tasks())) {
      const std::optional<Task> other = TRY(txn_.find_task(sequence));
      if (other && std::any_of(other->slots.begin(), other->slots.end(),
                               [&](const auto& slot) { return slot.first == label; }))
        holders.push_back(other->id);
    }
    add("label_slots", "too few free slots of " + label + ": " +
                           std::to_string(dispatcher.queue().label_in_use(label)) + " in use by " +
                           names(holders));
    return {};
  }

  Status turn() {
    const Task& task = out_.task;
    const uint64_t before = TRY(txn_.tasks_before(task, k_counted));
    std::string text = before == 0
                           ? "it is the next of its share and priority"
                           : plural(before, "task") + (before == k_counted ? " or more" : "") +
                                 " of its share and priority " + (before == 1 ? "is" : "are") +
                                 " before it";
    text += " (share '" + task.share + "', " + std::string(to_string(task.lane.level)) + ")";
    if (task.lane.level != task.priority) text += "; it is as urgent as a task that waits for it";
    add("turn", text);
    if (claims_by_hand_ && out_.next.empty() && !task.agent.empty())
      out_.next = "fabric claim " + task.agent;
    return {};
  }

  const store::ReadTxn& txn_;
  const DispatchRules& rules_;
  const bool supervised_;
  const Clock& clock_;
  Explanation& out_;
  bool claims_by_hand_ = false;
};

}  // namespace

Result<Explanation> explain(const store::ReadTxn& txn, const DispatchRules& rules,
                            std::string_view id, bool supervised, const Clock& clock) {
  std::optional<Task> task = TRY(txn.find_task(id));
  if (!task)
    return fail(ErrorCode::not_found, "task " + std::string(id) + " not found",
                "list tasks with: fabric tasks");
  Explanation explanation;
  explanation.task = *std::move(task);
  TRY_STATUS(Explainer(txn, rules, supervised, clock, explanation).run());
  return explanation;
}

}  // namespace fabric
