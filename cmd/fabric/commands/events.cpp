// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "fabric/commands.hpp"
#include "fabric/event_reader.hpp"
#include "fabric/event_view.hpp"
#include "fabric/moment.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/text.hpp"
#include "fabric/wakeups.hpp"

namespace fabric::cmd {
namespace {

constexpr size_t k_default_limit = 50;
constexpr size_t k_no_limit = std::numeric_limits<size_t>::max();

// Where to begin: a position, or a time that has to be looked up.
struct Since {
  std::optional<uint64_t> cursor;
  WallTime time;
};

std::optional<uint64_t> number_in(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<Since> parse_since(std::string_view text) {
  Since since;
  since.cursor = number_in(text);
  if (since.cursor) return since;
  if (const Result<Duration> ago = parse_duration(text)) {
    since.time.us = std::max<int64_t>(system_clock().now().us - ago->ns / 1000, 1);
    return since;
  }
  // A time of day is the last one of those there were.
  const WallTime a_day_ago = system_clock().now() + Duration::seconds(-86400);
  const Result<WallTime> time = parse_moment(text, a_day_ago);
  if (!time)
    return fail(
        ErrorCode::usage, "'" + printable(text) + "' is no cursor, time or duration",
        "for example --since 120 (what --json calls cursor), --since 10m, or --since 14:30");
  since.time = *time;
  return since;
}

Result<size_t> parse_limit(std::string_view text) {
  if (text == "all") return k_no_limit;
  const auto limit = number_in(text);
  if (!limit || *limit == 0)
    return fail(ErrorCode::usage, "invalid number '" + printable(text) + "'",
                "write a number above 0, or all");
  return static_cast<size_t>(*limit);
}

struct Options {
  EventFilter filter;
  std::optional<Since> since;
  std::optional<size_t> limit;
  bool follow = false;
};

Result<Options> read_options(const Arguments& arguments) {
  Options options;
  options.filter.kinds = arguments.values("--kind");
  options.filter.agent = arguments.value("--agent").value_or("");
  options.filter.task = arguments.value("--task").value_or("");
  options.filter.group = arguments.value("--group").value_or("");
  options.since = TRY(parsed(arguments, "--since", parse_since));
  options.limit = TRY(parsed(arguments, "--limit", parse_limit));
  options.follow = arguments.has("--follow");
  return options;
}

Result<uint64_t> position_of(const store::ReadTxn& txn, const Since& since) {
  if (!since.cursor) return position_before(txn, since.time);
  const uint64_t last = TRY(txn.last_event());
  if (*since.cursor > last)
    return fail(ErrorCode::usage,
                "--since: there is no event " + std::to_string(*since.cursor) +
                    " yet; the newest is " + std::to_string(last),
                "is it a cursor of another workspace?");
  return *since.cursor;
}

class Stream {
 public:
  Stream(const JsonChoice& choice, size_t left) : choice_(choice), left_(left) {}
  [[nodiscard]] bool full() const { return left_ == 0; }

  // In one write, and at once.
  Status print_all(const std::vector<Event>& events) {
    std::string text;
    const WallTime now = system_clock().now();
    for (const Event& event : events) {
      if (left_ == 0) break;
      if (left_ != k_no_limit) --left_;
      text += (choice_.wanted() ? event_json(choice_, event) : event_line(event, now)) + "\n";
    }
    return print(text);
  }
  Status catch_up(const store::Store& store, EventReader& reader) {
    for (bool more = true; more && !full();) {
      const EventReader::Page page = TRY(reader.next(TRY(store.read())));
      if (page.gap && page.gap->first > 1)
        note("events " + std::to_string(page.gap->first) + " to " + std::to_string(page.gap->last) +
             " are missing: retention has removed them");
      TRY_STATUS(print_all(page.events));
      more = page.more;
    }
    return {};
  }

 private:
  const JsonChoice& choice_;
  size_t left_;
};

// What is there now. Returns the position from which to follow.
Result<EventReader> print_past(const store::Store& store, const Options& options, Stream& stream) {
  if (!options.since) {
    const store::ReadTxn txn = TRY(store.read());
    TRY_STATUS(stream.print_all(
        TRY(newest_events(txn, options.filter, options.limit.value_or(k_default_limit)))));
    return EventReader(TRY(txn.last_event()), options.filter);
  }
  EventReader reader(TRY(position_of(TRY(store.read()), *options.since)), options.filter);
  TRY_STATUS(stream.catch_up(store, reader));
  return reader;
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const Options options = TRY(read_options(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const store::Store store = TRY(open_store(workspace));
  std::optional<Wakeups> wakeups;
  if (options.follow) wakeups = TRY(Wakeups::open(store, {SIGINT, SIGTERM}));
  // Without --since the limit says how far to go back, and not when to end.
  Stream stream(choice, options.since ? options.limit.value_or(k_no_limit) : k_no_limit);
  EventReader reader = TRY(print_past(store, options, stream));
  while (options.follow && !stream.full()) {
    const Wake wake = TRY(wakeups->wait(std::nullopt));
    if (wake.signal != 0) return static_cast<int>(ErrorCode::interrupted);
    if (wake.output_gone) return fail(ErrorCode::failed, "", std::string(k_broken_pipe));
    TRY_STATUS(stream.catch_up(store, reader));
  }
  return 0;
}

constexpr Option k_options[] = {
    {"--follow", "-f", "", "Go on with what happens from now on, until interrupted.",
     Takes::nothing},
    {"--since", "", "CURSOR|TIME|AGO",
     "Begin after the event with this cursor (0: with the oldest there is), at this time (RFC "
     "3339, or local: 2026-11-25 14:30, 14:30), or this long ago, for example 10m."},
    {"--kind", "", "KIND", "Only events of this kind, or of all kinds of this sort.", Takes::values,
     Complete::nothing,
     "task|task.scheduled|task.ready|task.started|task.requeued|task.retrying|task.completed|"
     "task.failed|task.cancelled|task.timed_out|task.changed|task.extended|task.late_result|"
     "agent|agent.spawned|agent.state|agent.changed|agent.removed|paused|resumed|"
     "recurring|recurring.added|recurring.removed|recurring.missed|sandbox|sandbox.refused"},
    {"--agent", "", "ID", "Only events about this agent and its tasks.", Takes::value,
     Complete::agent},
    {"--task", "", "ID", "Only events about this task.", Takes::value, Complete::task},
    {"--group", "", "GROUP", "Only events about tasks of this group."},
    {"--limit", "", "N",
     "With --since: end after N events. Without: how many of the newest to show, or all. Default: "
     "50."}};
constexpr Example k_examples[] = {
    {"fabric events --follow --kind task.failed --kind task.timed_out",
     "Says when a task ends badly, as it happens."},
    {"fabric events --follow --json --since 4711",
     "Goes on behind the event that a program has handled last."}};

}  // namespace

const Command k_events_command{
    "events",
    Group::tasks,
    "show what happened, in order",
    "One event a line, oldest first. Every change of a task or an "
    "agent is one event, written in the same transaction as the change, in one order for the "
    "whole workspace. Without --since the newest are shown. With --json: one object a line.\n\n"
    "A program that remembers the cursor of the last event that it has handled, and begins with "
    "--since that cursor the next time, misses none and sees none twice. When events behind that "
    "cursor have been removed by retention meanwhile, a line on standard error says which; how "
    "many "
    "are kept is scheduler.keep_events in fabric.toml. "
    "Following needs no supervisor, and outlives those that come and go. It ends with exit code "
    "130 when it is interrupted.\n\n"
    "Kinds about tasks: task.scheduled (it is in the queue), task.ready (nothing it waited for "
    "is in its way any more: a dependency, its time, an exclusive key), task.started, "
    "task.completed, task.failed, task.cancelled, task.timed_out, task.requeued (an attempt "
    "ended without an outcome, and it waits again), task.retrying (an attempt ended badly, and "
    "another follows), task.changed (priority, agent or payload), task.extended (a lease), "
    "task.late_result (an answer that came after the end, kept beside).\n\n"
    "Others: agent.spawned, agent.state (its new state, and why), agent.changed (its rules of "
    "egress, while it lives), agent.removed, paused, resumed, "
    "recurring.added, recurring.removed, recurring.missed (runs whose time passed while "
    "nothing could start them) and sandbox.refused (what an agent wanted to reach and its rules do "
    "not allow, with the rule that would allow it; at most once a minute for the same).",
    {},
    k_options,
    {},
    k_examples,
    event_shape,
    run};

}  // namespace fabric::cmd
