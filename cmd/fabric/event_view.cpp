// SPDX-License-Identifier: Apache-2.0
#include "fabric/event_view.hpp"

#include <algorithm>

#include "fabric/text.hpp"

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

}  // namespace

JsonShape event_shape() { return shape_of<k_fields>(); }

std::string event_json(const JsonChoice& choice, const Event& event) {
  return choice.object(k_fields, event);
}

Colour colour_of(EventKind kind) {
  switch (kind) {
    case EventKind::task_started:
      return Colour::cyan;
    case EventKind::task_completed:
      return Colour::green;
    case EventKind::task_failed:
    case EventKind::task_timed_out:
      return Colour::red;
    case EventKind::task_cancelled:
    case EventKind::task_requeued:
    case EventKind::task_retrying:
    case EventKind::task_late_result:
    case EventKind::paused:
    case EventKind::recurring_missed:
    case EventKind::sandbox_refused:
      return Colour::yellow;
    default:
      return Colour::none;
  }
}

std::string event_line(const Event& event, WallTime now) {
  std::string kind(to_string(event.kind));
  kind.resize(std::max<size_t>(kind.size(), 18), ' ');
  std::string line = human(event.at, now) + "  " + coloured(kind, colour_of(event.kind));
  if (!event.task.empty()) line += " " + printable(event.task);
  if (!event.agent.empty()) line += (event.task.empty() ? " " : " on ") + printable(event.agent);
  if (event.attempt > 1) line += " (attempt " + std::to_string(event.attempt) + ")";
  if (!event.detail.empty()) line += "  " + coloured(printable(event.detail), Colour::dim);
  return line;
}

}  // namespace fabric::cmd
