// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/id.hpp"
#include "fabric/commands.hpp"
#include "fabric/lease.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/table.hpp"
#include "fabric/terminal.hpp"
#include "fabric/text.hpp"
#include "scheduler/agent_scheduler.hpp"

namespace fabric::cmd {
namespace {

using json::Value;
using json::Writer;

// The answer of the call; its payload is text there, so that every digit survives.
void write_member(Writer& w, const Value& task, std::string_view key) {
  const std::string_view text = json::get_string(task, key).value_or("");
  text.empty() ? w.null() : w.string(text);
}

constexpr auto k_fields = std::to_array<JsonField<Value>>({
    {"id", "The task's id.", [](Writer& w, const Value& v) { write_member(w, v, "id"); }},
    {"agent", "Who claimed it.", [](Writer& w, const Value& v) { write_member(w, v, "agent"); }},
    {"type", "What kind of task its submitter called it; null when not said.",
     [](Writer& w, const Value& v) { write_member(w, v, "type"); }},
    {"priority", "critical, high, normal or low.",
     [](Writer& w, const Value& v) { write_member(w, v, "priority"); }},
    {"lease", "Number that names this claim: extend, complete and release ask for it.",
     [](Writer& w, const Value& v) { w.integer(json::get_int(v, "lease").value_or(0)); }},
    {"lease_until", "Until then the task is this agent's; then it goes back to the queue.",
     [](Writer& w, const Value& v) { write_member(w, v, "lease_until"); }},
    {"attempt", "Number of this attempt; 1 is the first.",
     [](Writer& w, const Value& v) { w.integer(json::get_int(v, "attempt").value_or(0)); }},
    {"payload", "Its input, as scheduled.",
     [](Writer& w, const Value& v) { w.raw(json::get_string(v, "payload").value_or("null")); }},
    {"metadata", "Keys and values given by its submitter.",
     [](Writer& w, const Value& v) {
       const Value* metadata = json::find(v, "metadata");
       w.raw(metadata ? json::to_text(*metadata) : "{}");
     }},
    {"correlation_id", "Carried from the command that started the work.",
     [](Writer& w, const Value& v) { write_member(w, v, "correlation_id"); }},
    {"traceparent", "W3C trace context of the task.",
     [](Writer& w, const Value& v) { write_member(w, v, "traceparent"); }},
});
JsonShape claim_shape() { return shape_of<k_fields>(); }

struct Options {
  std::string agent;
  Duration lease = k_default_lease;
  bool wait = false;
  std::optional<Duration> patience;
};

Result<Options> read_options(const Arguments& arguments) {
  Options options;
  options.agent = arguments.positional(0);
  TRY_STATUS(check_id(options.agent, "agent id"));
  options.lease = TRY(time_of(arguments, "--lease", k_default_lease));
  const auto wait = arguments.value("--wait");
  options.wait = wait.has_value();
  if (wait && !wait->empty()) options.patience = TRY(in_context(parse_duration(*wait), "--wait"));
  return options;
}

// What was there before a claim found nothing; only what comes after it can change that.
struct Mark {
  uint64_t cursor = 0;
  std::string pressure;
};

Result<Mark> mark_of(const store::ReadTxn& txn) {
  return Mark{TRY(txn.last_event()), TRY(txn.supervisor()).pressure};
}

bool may_free(EventKind kind) {
  switch (kind) {
    case EventKind::task_started:
    case EventKind::task_extended:
    case EventKind::task_late_result:
    case EventKind::paused:
      return false;
    default:
      return true;
  }
}

// A task is ready in one of its queues, and something has happened since: it is worth asking again.
Result<bool> worth_asking(const store::ReadTxn& txn, const Agent& agent, Mark& mark) {
  bool happened = TRY(txn.supervisor()).pressure != mark.pressure;
  for (;;) {
    const std::vector<Event> events = TRY(txn.events(mark.cursor, 1000));
    for (const Event& event : events) happened = happened || may_free(event.kind);
    if (events.empty()) break;
    mark.cursor = events.back().sequence;
  }
  if (!happened) return false;
  if (!TRY(txn.ready_lanes(agent.number)).empty()) return true;
  for (const store::Name& route : TRY(txn.names(store::NameKind::route)))
    if (satisfies(agent.definition, TRY(parse_requirements(route.text))) &&
        !TRY(txn.ready_lanes(route.number)).empty())
      return true;
  return false;
}

// How long to sleep at most: the end of the caller's patience, or what time brings. Without a
// supervisor nobody else decides about it.
Result<Duration> time_to_sleep(const config::Workspace& workspace, const store::ReadTxn& txn,
                               std::optional<Duration> left) {
  Duration sleep = left.value_or(Duration{});
  const auto next = TRY(AgentScheduler::next_tick(txn));
  if (!next) return sleep;
  const bool supervised = TRY(supervisor_status(workspace, txn)).running;
  const Duration slack = supervised ? Duration::seconds(1) : Duration::millis(1);
  const Duration until = std::max(*next - system_clock().now(), Duration{}) + slack;
  return sleep.ns == 0 ? until : std::min(sleep, until);
}

Result<Mark> mark_now(const config::Workspace& workspace, const std::string& agent) {
  const store::Store store = TRY(open_store(workspace));
  const store::ReadTxn txn = TRY(store.read());
  TRY(require_agent(txn, agent));
  return mark_of(txn);
}

// Returns when it is worth asking again; timed_out when `left` is over.
Status sleep_until_ready(const config::Workspace& workspace, const Options& options, Mark mark,
                         std::optional<Duration> left) {
  const store::Store store = TRY(open_store(workspace));
  Duration sleep;
  Agent agent;
  {
    const store::ReadTxn txn = TRY(store.read());
    agent = TRY(require_agent(txn, options.agent));
    sleep = TRY(time_to_sleep(workspace, txn, left));
  }
  Status looked;
  const Status waited = wait_for(
      store,
      [&](const store::ReadTxn& txn) {
        Result<bool> worth = worth_asking(txn, agent, mark);
        if (!worth) looked = fail(worth.error());
        return !worth || *worth;
      },
      sleep);
  TRY_STATUS(looked);
  if (!waited && waited.error().code == ErrorCode::timed_out) return {};
  return waited;
}

// How long a supervisor may take to answer. What comes later than the caller wants it is given
// back.
Duration patience_with(const Options& options) {
  constexpr Duration k_least = Duration::seconds(2);
  constexpr Duration k_most = Duration::seconds(60);
  return options.patience ? std::clamp(*options.patience, k_least, k_most) : k_most;
}

Result<json::Document> claim(const config::Workspace& workspace, const Options& options) {
  Writer params;
  params.begin_object().field("agent", options.agent);
  params.field("lease_seconds", options.lease.to_seconds()).end_object();
  const MonoTime began = system_clock().monotonic();
  for (;;) {
    // Before the claim, so that nothing is missed that comes between it and the sleep.
    const Mark mark = TRY(mark_now(workspace, options.agent));
    {
      Client client = TRY(Client::open(workspace));
      json::Document task = TRY(client.perform("claim", params.text(), patience_with(options)));
      if (json::find(task, "id")) return task;
    }
    if (!options.wait)
      return fail(ErrorCode::nothing_to_do, "no task is ready for agent " + options.agent,
                  "wait for one with: fabric claim " + options.agent + " --wait");
    std::optional<Duration> left;
    if (options.patience) {
      left = began + *options.patience - system_clock().monotonic();
      if (left->ns <= 0)
        return fail(
            ErrorCode::timed_out,
            "no task became ready for agent " + options.agent + " within " +
                human(*options.patience),
            "'fabric tasks --agent " + options.agent + " --state pending' lists what waits");
    }
    TRY_STATUS(sleep_until_ready(workspace, options, mark, left));
  }
}

Status show(const Value& task) {
  const auto text = [&](std::string_view key) {
    return std::string(json::get_string(task, key).value_or(""));
  };
  const WallTime until = TRY(parse_rfc3339(text("lease_until")));
  const std::string lease = std::to_string(json::get_int(task, "lease").value_or(0));
  Facts facts;
  facts.add("task", text("id"), Colour::bold);
  if (!text("type").empty()) facts.add("type", text("type"));
  facts.add("priority", text("priority"));
  facts.add("attempt", std::to_string(json::get_int(task, "attempt").value_or(0)));
  facts.add("lease", lease);
  facts.add("until", human(until, system_clock().now()));
  const std::string payload = text("payload");
  TRY_STATUS(print(facts.to_text() + "\n" +
                   (is_terminal(Stream::out) ? printable_lines(payload) : payload) + "\n"));
  note("when it is done: fabric complete " + text("id") + " --lease " + lease + " --result TEXT");
  return {};
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const Options options = TRY(read_options(arguments));
  const json::Document task = TRY(claim(TRY(workspace_of(arguments)), options));
  TRY_STATUS(choice.wanted() ? print(choice.object<Value>(k_fields, task) + "\n") : show(task));
  return 0;
}

constexpr Positional k_positionals[] = {{"AGENT", "An agent of kind external.", Complete::agent}};
constexpr Option k_options[] = {
    {"--wait", "", "DURATION",
     "Wait until there is a task; with a duration, give up after it (exit code 8).",
     Takes::optional_value},
    {"--lease", "", "DURATION",
     "For how long the task is this agent's, unless it is extended. Default: 10m."}};
constexpr Example k_examples[] = {
    {"fabric claim anna --wait", "The next task of anna, as soon as there is one."},
    {"task=$(fabric claim bot --wait --lease 2m --json)",
     "The same for a program: id, lease and payload as JSON."}};

}  // namespace

const Command k_claim_command{
    "claim",
    Group::tasks,
    "take the next task for an agent that fabric does not start",
    "For agents of kind external: a person, a terminal, another program. The task that is next by "
    "priority and fair share starts, and is the agent's until its lease ends. Then it goes back to "
    "the queue, and whoever claims it next has the next attempt; an answer to the older lease is "
    "refused. No lease lasts longer than the task may run (timeout_seconds of the task or of the "
    "agent, counted from the claim) or than its deadline: at either the task has timed out, and a "
    "later answer is kept beside it. A no-progress timeout is not looked at: what does not extend "
    "its "
    "lease loses the task.\n\n"
    "Prints the task with its payload. Extend the lease with fabric-extend(1), say how the task "
    "ended with fabric-complete(1), or give it back with fabric-release(1); each of them asks for "
    "the lease.\n\n"
    "The exit code is 10 when no task is ready, 8 when none became ready in time, and 1 when the "
    "agent has claimed as many tasks as it may have at a time. Works with and without a "
    "supervisor; without one, leases that ran out are noticed by the next command that changes "
    "something.",
    k_positionals,
    k_options,
    {},
    k_examples,
    claim_shape,
    run};

}  // namespace fabric::cmd
