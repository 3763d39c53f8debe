// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include <algorithm>
#include <charconv>

#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/terminal.hpp"
#include "fabric/text.hpp"
#include "fabric/wakeups.hpp"
#include "model/event.hpp"

namespace fabric::cmd {
namespace {

void text_or_null(json::Writer& w, const std::string& text) {
  text.empty() ? w.null() : w.string(text);
}

constexpr auto k_fields = std::to_array<JsonField<Event>>({
    {"cursor", "Its place in the stream; what --since takes.",
     [](json::Writer& w, const Event& v) { w.integer(static_cast<int64_t>(v.sequence)); }},
    {"at", "When it happened.",
     [](json::Writer& w, const Event& v) { w.string(to_rfc3339(v.at)); }},
    {"kind", "What happened; the manual page lists the kinds.",
     [](json::Writer& w, const Event& v) { w.string(to_string(v.kind)); }},
    {"task", "The task, or null.",
     [](json::Writer& w, const Event& v) { text_or_null(w, v.task); }},
    {"agent", "The agent, or null.",
     [](json::Writer& w, const Event& v) { text_or_null(w, v.agent); }},
    {"group", "The task's group, or null.",
     [](json::Writer& w, const Event& v) { text_or_null(w, v.group); }},
    {"attempt", "The task's attempt; 0 before the first.",
     [](json::Writer& w, const Event& v) { w.integer(v.attempt); }},
    {"state", "The task's state after it, or null.",
     [](json::Writer& w, const Event& v) {
       v.task_sequence == 0 ? w.null() : w.string(to_string(v.state));
     }},
    {"reason", "The reason of that state, or null.",
     [](json::Writer& w, const Event& v) { text_or_null(w, std::string(to_string(v.reason))); }},
    {"detail", "More about it in words, or null.",
     [](json::Writer& w, const Event& v) { text_or_null(w, v.detail); }},
});
JsonShape events_shape() { return shape_of<k_fields>(); }

constexpr size_t k_step = 1000;  // events read in one transaction
constexpr size_t k_default_limit = 50;

struct Selection {
  std::vector<EventKind> kinds;  // empty: all
  std::string agent, task, group;
  [[nodiscard]] bool takes(const Event& event) const {
    return (kinds.empty() || std::find(kinds.begin(), kinds.end(), event.kind) != kinds.end()) &&
           (agent.empty() || event.agent == agent) && (task.empty() || event.task == task) &&
           (group.empty() || event.group == group);
  }
};

// A cursor, or how long ago.
struct Since {
  std::optional<uint64_t> cursor;
  std::optional<Duration> ago;
};

Result<Since> parse_since(std::string_view text) {
  uint64_t cursor = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, cursor);
  if (error == std::errc{} && at == end) return Since{cursor, {}};
  Result<Duration> ago = parse_duration(text);
  if (!ago)
    return fail(ErrorCode::usage, "'" + printable(text) + "' is neither a cursor nor a duration",
                "for example --since 120 (what --json calls cursor) or --since 10m");
  return Since{{}, *ago};
}

Result<size_t> parse_limit(std::string_view text) {
  size_t limit = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, limit);
  if (error != std::errc{} || at != end || limit == 0)
    return fail(ErrorCode::usage, "invalid number '" + printable(text) + "'",
                "write a number above 0");
  return limit;
}

Colour colour_of(EventKind kind) {
  switch (kind) {
    case EventKind::task_completed:
      return Colour::green;
    case EventKind::task_failed:
    case EventKind::task_timed_out:
      return Colour::red;
    case EventKind::task_retrying:
    case EventKind::task_requeued:
    case EventKind::task_cancelled:
    case EventKind::task_late_result:
    case EventKind::recurring_missed:
    case EventKind::paused:
      return Colour::yellow;
    default:
      return Colour::none;
  }
}

std::string line_of(const Event& event, WallTime now) {
  std::string kind(to_string(event.kind));
  kind.resize(std::max<size_t>(kind.size(), 18), ' ');
  std::string line = human(event.at, now) + "  " + coloured(kind, colour_of(event.kind));
  if (!event.task.empty()) line += " " + printable(event.task);
  if (!event.agent.empty()) line += (event.task.empty() ? " " : " on ") + printable(event.agent);
  if (event.attempt > 1) line += " (attempt " + std::to_string(event.attempt) + ")";
  if (!event.detail.empty()) line += "  " + coloured(printable(event.detail), Colour::dim);
  return line;
}

class Stream {
 public:
  Stream(const JsonChoice& choice, Selection selection)
      : choice_(choice), selection_(std::move(selection)) {}

  // Where to begin: after the position returned.
  Result<uint64_t> start(const store::Store& store, const Since& since) const {
    const store::ReadTxn txn = TRY(store.read());
    const uint64_t first = TRY(txn.first_event());
    if (since.cursor) {
      if (first > *since.cursor + 1)
        note("events " + std::to_string(*since.cursor + 1) + " to " + std::to_string(first - 1) +
             " are kept no longer");
      return *since.cursor;
    }
    if (!since.ago) return uint64_t{0};
    const WallTime from{system_clock().now().us - since.ago->ns / 1000};
    // Events are in the order of their times, but for a clock that was set.
    uint64_t low = first == 0 ? 0 : first - 1;
    uint64_t high = TRY(txn.last_event());
    while (low < high) {
      const uint64_t middle = low + (high - low) / 2;
      const std::vector<Event> one = TRY(txn.events(middle, 1));
      if (one.empty() || one[0].at >= from)
        high = middle;
      else
        low = middle + 1;
    }
    return low;
  }

  // Everything after `cursor` that there is now. Returns where it came to.
  Result<uint64_t> print_after(const store::Store& store, uint64_t cursor) const {
    for (;;) {
      const std::vector<Event> events = TRY(TRY(store.read()).events(cursor, k_step));
      if (events.empty()) return cursor;
      TRY_STATUS(print_all(events));
      cursor = events.back().sequence;
    }
  }

  // The newest `limit` of those that are wanted.
  Result<uint64_t> print_newest(const store::Store& store, size_t limit) const {
    const store::ReadTxn txn = TRY(store.read());
    const uint64_t last = TRY(txn.last_event());
    std::vector<Event> found;
    for (uint64_t end = last; end > 0 && found.size() < limit;) {
      const uint64_t begin = end > k_step ? end - k_step : 0;
      std::vector<Event> step = TRY(txn.events(begin, static_cast<size_t>(end - begin)));
      if (step.empty()) break;
      for (auto event = step.rbegin(); event != step.rend() && found.size() < limit; ++event)
        if (event->sequence <= end && selection_.takes(*event)) found.push_back(std::move(*event));
      end = begin;
    }
    std::reverse(found.begin(), found.end());
    TRY_STATUS(print_all(found));
    return last;
  }

 private:
  Status print_all(const std::vector<Event>& events) const {
    const WallTime now = system_clock().now();
    std::string text;
    for (const Event& event : events)
      if (selection_.takes(event))
        text += (choice_.wanted() ? choice_.object(k_fields, event) : line_of(event, now)) + "\n";
    return text.empty() ? Status() : print(text);
  }

  const JsonChoice& choice_;
  Selection selection_;
};

Result<int> follow(const store::Store& store, const Stream& stream, Wakeups wakeups,
                   uint64_t cursor) {
  for (;;) {
    cursor = TRY(stream.print_after(store, cursor));
    const Wake wake = TRY(wakeups.wait(std::nullopt));
    if (wake.output_gone) return 0;
    if (wake.signal != 0) return static_cast<int>(ErrorCode::interrupted);
  }
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  Selection selection;
  for (const std::string& kind : arguments.values("--kind"))
    selection.kinds.push_back(TRY(parse_event_kind(kind)));
  selection.agent = arguments.value("--agent").value_or("");
  selection.task = arguments.value("--task").value_or("");
  selection.group = arguments.value("--group").value_or("");
  const Since since = TRY(parsed(arguments, "--since", parse_since)).value_or(Since{});
  const size_t limit = TRY(parsed(arguments, "--limit", parse_limit)).value_or(k_default_limit);
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const store::Store store = TRY(open_store(workspace));
  const Stream stream(choice, std::move(selection));
  std::optional<Wakeups> wakeups;
  if (arguments.has("--follow")) wakeups = TRY(Wakeups::open(store, {SIGINT, SIGTERM}));
  uint64_t cursor = 0;
  if (arguments.has("--since"))
    cursor = TRY(stream.print_after(store, TRY(stream.start(store, since))));
  else
    cursor = TRY(stream.print_newest(store, limit));
  if (!wakeups) return 0;
  return follow(store, stream, *std::move(wakeups), cursor);
}

constexpr Option k_options[] = {
    {"--follow", "-f", "", "Go on: show each event when it is on disk.", Takes::nothing},
    {"--since", "", "CURSOR|DURATION",
     "All events after that one, or of that long ago, instead of the newest 50."},
    {"--kind", "", "KIND", "Only events of this kind.", Takes::values},
    {"--agent", "", "ID", "Only those of this agent.", Takes::value, Complete::agent},
    {"--task", "", "ID", "Only those of this task.", Takes::value, Complete::task},
    {"--group", "", "ID", "Only those of this group of tasks."},
    {"--limit", "", "N", "The newest N, without --since. Default: 50."}};
constexpr Example k_examples[] = {
    {"fabric events --follow --kind task.failed --json",
     "Tells a program of each task that fails, at once."},
    {"fabric events --since 1h --agent coder", "What happened to one agent in the last hour."}};

}  // namespace

const Command k_events_command{
    "events",
    Group::tasks,
    "show what happened, in order",
    "One event a line, the oldest first. Every change of a task or an agent is one, written in the "
    "same transaction; the order is that of the store and does not depend on clocks. With --json: "
    "one object a line; its cursor, given to --since, goes on behind it, so that nothing is lost "
    "or "
    "repeated across restarts of the reader and of the supervisor. How many are kept is "
    "scheduler.keep_events in fabric.toml.\n\n"
    "The kinds: task.scheduled, task.ready (nothing stands in its way any more), task.started, "
    "task.requeued (an attempt ended without an outcome), task.retrying (it ended badly, another "
    "follows), task.completed, task.failed, task.cancelled, task.timed_out, task.changed, "
    "task.extended, task.late_result; agent.spawned, agent.state, agent.removed; paused, resumed; "
    "recurring.added, recurring.removed, recurring.missed.",
    {},
    k_options,
    {},
    k_examples,
    events_shape,
    run};

}  // namespace fabric::cmd
