// SPDX-License-Identifier: Apache-2.0
#include "fabric/event_view.hpp"

#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

using json::Writer;

void write_text(Writer& w, std::string_view text) { text.empty() ? w.null() : w.string(text); }

constexpr auto k_fields = std::to_array<JsonField<Event>>({
    {"cursor", "Its position in the stream; --since with it goes on right behind it.",
     [](Writer& w, const Event& e) { w.integer(static_cast<int64_t>(e.sequence)); }},
    {"kind", "What happened.", [](Writer& w, const Event& e) { w.string(to_string(e.kind)); }},
    {"at", "When.", [](Writer& w, const Event& e) { w.string(to_rfc3339(e.at)); }},
    {"task", "Id of the task it is about, or null.",
     [](Writer& w, const Event& e) { write_text(w, e.task); }},
    {"agent", "Id of the agent it is about, or null.",
     [](Writer& w, const Event& e) { write_text(w, e.agent); }},
    {"group", "Group of the task, or null.",
     [](Writer& w, const Event& e) { write_text(w, e.group); }},
    {"attempt", "Number of the task's attempt; 0 before the first, null when not about a task.",
     [](Writer& w, const Event& e) { is_about_task(e.kind) ? w.integer(e.attempt) : w.null(); }},
    {"state", "State of the task after it; null when not about a task.",
     [](Writer& w, const Event& e) {
       is_about_task(e.kind) ? w.string(to_string(e.state)) : w.null();
     }},
    {"reason", "Why the task is in that state, or null.",
     [](Writer& w, const Event& e) {
       write_text(w, is_about_task(e.kind) ? to_string(e.reason) : std::string_view());
     }},
    {"detail", "More in words, or null.",
     [](Writer& w, const Event& e) { write_text(w, e.detail); }},
});

}  // namespace

JsonShape event_shape() { return shape_of<k_fields>(); }

std::string event_json(const JsonChoice& choice, const Event& event) {
  return choice.object(k_fields, event);
}

bool is_about_task(EventKind kind) { return to_string(kind).starts_with("task."); }

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
    case EventKind::task_stalled:
    case EventKind::task_late_result:
    case EventKind::paused:
    case EventKind::recurring_missed:
      return Colour::yellow;
    default:
      return Colour::none;
  }
}

std::string event_in_words(const Event& event) {
  std::string text = coloured(to_string(event.kind), colour_of(event.kind));
  if (!event.task.empty()) text += " " + printable(event.task);
  if (!event.agent.empty() && !event.task.empty()) text += " at";
  // A pause of an agent names it in its words.
  const bool named = event.kind == EventKind::paused || event.kind == EventKind::resumed;
  if (!event.agent.empty() && !named) text += " " + printable(event.agent);
  if (event.attempt > 0) text += ", attempt " + std::to_string(event.attempt);
  if (!event.detail.empty()) text += (named ? " " : ": ") + printable(event.detail);
  return text;
}

std::string event_line(const Event& event, WallTime now) {
  return coloured(std::to_string(event.sequence), Colour::dim) + " " + human(event.at, now) + " " +
         event_in_words(event);
}

}  // namespace fabric::cmd
