// SPDX-License-Identifier: Apache-2.0
#include "supervisor/explain_pending.hpp"

#include <algorithm>
#include <map>

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

std::string command_that_resumes(const Pause& pause) {
  switch (pause.kind) {
    case PauseKind::workspace:
      return "fabric resume --all";
    case PauseKind::agent:
      return "fabric resume " + pause.name;
    case PauseKind::share:
      return "fabric resume --share " + pause.name;
    case PauseKind::priority:
      return "fabric resume --priority " + pause.name;
  }
  return "";
}

class Pending {
 public:
  Pending(const store::ReadTxn& txn, const DispatchRules& rules, bool supervised,
          const Clock& clock, Explanation& out)
      : txn_(txn),
        rules_(rules),
        supervised_(supervised),
        clock_(clock),
        out_(out),
        task_(out.task),
        dispatcher_(rules, clock) {}

  Status run() {
    agents_ = TRY(serving());
    claims_by_hand_ = std::any_of(agents_.begin(), agents_.end(), [](const Agent& a) {
      return a.definition.kind == AgentKind::external;
    });
    if (!supervised_ && !claims_by_hand_) {
      add("no_supervisor", "no supervisor runs, so nothing starts");
      out_.next = "fabric up --detach";
    }
    TRY_STATUS(held_back());
    TRY_STATUS(pauses());
    requirements();
    no_agent();
    if (task_.reason == Reason::queued) TRY_STATUS(ready());
    return {};
  }

 private:
  void add(std::string kind, std::string text) {
    out_.reasons.push_back({std::move(kind), std::move(text)});
  }

  Status held_back() {
    if (task_.reason == Reason::dependency) TRY_STATUS(dependencies());
    if (task_.reason == Reason::not_before) {
      add("not_before", "it starts not before " + human(task_.not_before, clock_.now()) + ", in " +
                            human(task_.not_before - clock_.now()));
      if (task_.retries > 0)
        add("retry", "that is the pause before its retry " + std::to_string(task_.retries) +
                         " of " + std::to_string(task_.retry.limit) +
                         (task_.detail.empty() ? "" : ": " + task_.detail));
    }
    if (task_.reason == Reason::exclusive) {
      const std::optional<uint64_t> holder = TRY(txn_.exclusive_holder(task_.exclusive));
      const std::optional<Task> other = holder ? TRY(txn_.find_task(*holder)) : std::nullopt;
      add("exclusive", "its key '" + task_.exclusive + "' is held by " +
                           (other ? other->id + ", which is " + std::string(to_string(other->state))
                                  : std::string("nobody")));
    }
    return {};
  }

  Status dependencies() {
    for (const std::string& id : task_.depends_on) {
      const std::optional<Task> other = TRY(txn_.find_task(id));
      if (other && !is_terminal(other->state))
        add("dependency",
            "it waits for " + id + ", which is " + std::string(to_string(other->state)));
    }
    if (task_.after != AfterPolicy::success)
      add("dependency", "its policy is " + std::string(to_string(task_.after)));
    return {};
  }

  Status pauses() {
    for (const Pause& pause : TRY(txn_.pauses())) {
      const bool concerns =
          pause.kind == PauseKind::workspace ||
          (pause.kind == PauseKind::agent && pause.name == task_.agent) ||
          (pause.kind == PauseKind::share && pause.name == task_.share) ||
          (pause.kind == PauseKind::priority && pause.name == to_string(task_.lane.level));
      if (!concerns) continue;
      add("paused", describe(pause) + " is paused since " + human(pause.since, clock_.now()) +
                        (pause.user.empty() ? "" : ", by " + pause.user));
      if (out_.next.empty()) out_.next = command_that_resumes(pause);
    }
    return {};
  }

  // Agents that may take it; the others are remembered as lacking.
  Result<std::vector<Agent>> serving() {
    std::vector<Agent> serving;
    for (Agent& agent : TRY(txn_.list_agents())) {
      if (task_.require.empty() ? agent.number == task_.lane.queue
                                : satisfies(agent.definition, task_.require))
        serving.push_back(std::move(agent));
      else
        lacking_.push_back(agent.definition.id);
    }
    return serving;
  }

  void requirements() {
    if (task_.require.empty()) return;
    std::vector<std::string> fit;
    for (const Agent& agent : agents_) fit.push_back(agent.definition.id);
    add("require", "it needs " + to_string(task_.require) + ": " +
                       (fit.empty() ? "no agent has that" : names(fit) + " fit") +
                       (lacking_.empty() ? "" : "; " + names(lacking_) + " do not"));
  }

  void no_agent() {
    if (agents_.empty() && task_.require.empty())
      add("no_agent", "its agent " + task_.agent + " is gone");
    const bool one_is_there = std::any_of(agents_.begin(), agents_.end(), is_there);
    for (const Agent& agent : agents_)
      if (!one_is_there)
        add("no_agent", "agent " + agent.definition.id + " is " +
                            std::string(to_string(agent.state)) +
                            (agent.detail.empty() ? "" : ": " + agent.detail));
  }
  static bool is_there(const Agent& agent) { return agent.state == AgentState::ready; }

  // Nothing holds it back: then it is a matter of slots, pressure, and its turn.
  Status ready() {
    for (const Agent& agent : agents_)
      if (is_there(agent)) dispatcher_.available(agent);
    TRY_STATUS(dispatcher_.load(txn_));
    TRY_STATUS(pressure());
    TRY_STATUS(agent_slots());
    TRY_STATUS(pool_slots());
    if (rules_.workspace_slots != 0 && queue().running() >= rules_.workspace_slots)
      add("workspace_slots",
          "the workspace runs as many tasks as it may: " + std::to_string(rules_.workspace_slots) +
              " ([scheduler] max_concurrent_tasks)");
    TRY_STATUS(labels());
    TRY_STATUS(turn());
    return shares();
  }
  [[nodiscard]] const FairQueue& queue() const { return dispatcher_.queue(); }

  // What the supervisor has written: nobody else measures.
  Status pressure() {
    if (!supervised_) return {};
    const store::SupervisorRecord record = TRY(txn_.supervisor());
    const Priority from = record.pressure_degree > 1 ? Priority::normal : Priority::low;
    if (!record.pressure.empty() && task_.lane.level >= from)
      add("pressure", "the machine is short, and less urgent tasks wait: " + record.pressure);
    return {};
  }

  // Every agent that may take it is busy.
  Status agent_slots() {
    for (const Agent& agent : agents_)
      if (is_there(agent) &&
          queue().running_of_agent(agent.number) < agent.definition.max_concurrent_tasks)
        return {};
    for (const Agent& agent : agents_) {
      if (!is_there(agent)) continue;
      const std::vector<std::string> ids = TRY(running_at({agent.number}));
      add("agent_slots",
          "agent " + agent.definition.id + " is busy: " + std::to_string(ids.size()) + " of " +
              plural(agent.definition.max_concurrent_tasks, "slot") + " in use by " + names(ids));
    }
    return {};
  }

  Status pool_slots() {
    std::map<std::string, std::vector<uint32_t>> members;
    for (const Agent& agent : TRY(txn_.list_agents()))
      if (!agent.definition.pool.empty()) members[agent.definition.pool].push_back(agent.number);
    for (const auto& [pool, limit] : rules_.pool_slots) {
      const bool concerns = std::any_of(agents_.begin(), agents_.end(),
                                        [&](const Agent& a) { return a.definition.pool == pool; });
      if (!concerns) continue;
      const std::vector<std::string> ids = TRY(running_at(members[pool]));
      if (ids.size() < limit || limit == 0) continue;
      add("pool_slots", "pool " + pool + " runs as many tasks as it may: " + plural(limit, "slot") +
                            " in use by " + names(ids) + " ([scheduler] pools)");
    }
    return {};
  }

  [[nodiscard]] Result<std::vector<std::string>> running_at(
      const std::vector<uint32_t>& agents) const {
    std::vector<std::string> ids;
    for (uint32_t agent : agents)
      for (uint64_t sequence : TRY(txn_.running_tasks(agent)))
        if (const std::optional<Task> other = TRY(txn_.find_task(sequence)))
          ids.push_back(other->id);
    return ids;
  }

  Status labels() {
    const std::string label = queue().missing_label(task_.lane.slot_class);
    if (label.empty()) return {};
    std::vector<std::string> holders;
    for (uint64_t sequence : TRY(txn_.running_tasks())) {
      const std::optional<Task> other = TRY(txn_.find_task(sequence));
      if (other && std::any_of(other->slots.begin(), other->slots.end(),
                               [&](const auto& slot) { return slot.first == label; }))
        holders.push_back(other->id);
    }
    add("label_slots", "too few free slots of " + label + ": " +
                           std::to_string(queue().label_in_use(label)) + " in use by " +
                           names(holders));
    return {};
  }

  Status turn() {
    const uint64_t before = TRY(txn_.tasks_before(task_, k_counted));
    std::string text = before == 0
                           ? "it is the next of its share and priority"
                           : plural(before, "task") + (before == k_counted ? " or more" : "") +
                                 " of its share and priority " + (before == 1 ? "is" : "are") +
                                 " before it";
    text += " (share '" + task_.share + "', " + std::string(to_string(task_.lane.level)) + ")";
    if (task_.lane.level != task_.priority) text += "; it is as urgent as a task that waits for it";
    add("turn", text);
    if (claims_by_hand_ && out_.next.empty() && !task_.agent.empty())
      out_.next = "fabric claim " + task_.agent;
    return {};
  }

  // Who else wants to run, where there is a choice: what is furthest behind goes first.
  Status shares() {
    std::map<ShareNumber, std::string> known;
    for (const store::Share& share : TRY(txn_.shares())) known.emplace(share.number, share.name);
    std::vector<ShareNumber> waiting;
    std::vector<std::string> levels;
    for (const store::LaneBacklog& backlog : TRY(txn_.ready_lanes())) {
      const Lane& lane = backlog.lane;
      if (lane.share != task_.lane.share && known.contains(lane.share))
        waiting.push_back(lane.share);
      if (lane.share == task_.lane.share && lane.level < task_.lane.level)
        levels.emplace_back(to_string(lane.level));
    }
    std::sort(waiting.begin(), waiting.end());
    waiting.erase(std::unique(waiting.begin(), waiting.end()), waiting.end());
    const double own = queue().times(task_.lane.share).share;
    std::vector<std::string> first;
    for (ShareNumber share : waiting)
      if (queue().times(share).share < own) first.push_back(known[share]);
    if (!waiting.empty())
      add("share", plural(waiting.size(), "other share") +
                       (waiting.size() == 1 ? " has" : " have") +
                       " ready tasks; with less use for its weight, which goes first: " +
                       (first.empty() ? "none" : names(first)));
    std::sort(levels.begin(), levels.end());
    levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
    if (!levels.empty())
      add("level", "its share has more urgent tasks that are ready: " + names(levels));
    return {};
  }

  const store::ReadTxn& txn_;
  const DispatchRules& rules_;
  const bool supervised_;
  const Clock& clock_;
  Explanation& out_;
  const Task& task_;
  Dispatcher dispatcher_;
  std::vector<Agent> agents_;
  std::vector<std::string> lacking_;
  bool claims_by_hand_ = false;
};

}  // namespace

Status explain_pending(const store::ReadTxn& txn, const DispatchRules& rules, bool supervised,
                       const Clock& clock, Explanation& out) {
  return Pending(txn, rules, supervised, clock, out).run();
}

}  // namespace fabric
