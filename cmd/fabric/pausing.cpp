// SPDX-License-Identifier: Apache-2.0
#include "fabric/pausing.hpp"

#include <algorithm>
#include <optional>

#include "base/id.hpp"
#include "fabric/lease.hpp"
#include "fabric/options.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

struct Pausing {
  Pause target;
  bool on = true;
  bool changed = false;
};

constexpr auto k_fields = std::to_array<JsonField<Pausing>>({
    {"kind", "workspace, priority, agent or share.",
     [](json::Writer& w, const Pausing& v) { w.string(to_string(v.target.kind)); }},
    {"name", "Of the priority, agent or share; null for the workspace.",
     [](json::Writer& w, const Pausing& v) {
       v.target.name.empty() ? w.null() : w.string(v.target.name);
     }},
    {"paused", "Whether it is paused now.",
     [](json::Writer& w, const Pausing& v) { w.boolean(v.on); }},
    {"changed", "false when it was so already.",
     [](json::Writer& w, const Pausing& v) { w.boolean(v.changed); }},
});

Result<Pause> target_of(const Arguments& arguments) {
  const std::string command(arguments.command().name);
  Pause target;
  int named = 0;
  if (!arguments.positionals().empty()) {
    target.kind = PauseKind::agent;
    target.name = arguments.positional(0);
    TRY_STATUS(check_id(target.name, "agent id"));
    ++named;
  }
  if (const auto priority = arguments.value("--priority")) {
    target.kind = PauseKind::priority;
    target.name = *priority;
    ++named;
  }
  if (const auto share = arguments.value("--share")) {
    target.kind = PauseKind::share;
    target.name = *share;
    if (share->empty()) return fail(ErrorCode::usage, command + ": --share: no name");
    ++named;
  }
  if (arguments.has("--all")) ++named;
  if (named == 0)
    return fail(ErrorCode::usage,
                command + ": what? AGENT, --priority, --share or --all is missing",
                "everything: fabric " + command + " --all");
  if (named > 1)
    return fail(ErrorCode::usage,
                command + ": AGENT, --priority, --share and --all exclude each other",
                "one command for each");
  target.user = login_name();
  return target;
}

struct Known {
  std::optional<Pause> same;  // the pause that is meant, when it is there
  std::vector<Pause> others;
  bool agent_missing = false;
};

Result<Known> look(const config::Workspace& workspace, const Pause& target) {
  const store::Store store = TRY(open_store(workspace));
  const store::ReadTxn txn = TRY(store.read());
  Known known;
  for (Pause& pause : TRY(txn.pauses())) {
    if (pause.same_target(target))
      known.same = std::move(pause);
    else
      known.others.push_back(std::move(pause));
  }
  known.agent_missing =
      target.kind == PauseKind::agent && !TRY(txn.find_agent(target.name)).has_value();
  return known;
}

std::string who_and_when(const Pause& pause) {
  std::string text = " since " + human(pause.since, system_clock().now());
  if (!pause.user.empty()) text += ", by " + pause.user;
  return text;
}

std::string in_words(const Pausing& pausing, const Known& before, bool dry_run) {
  const std::string what = describe(pausing.target);
  if (!pausing.changed)
    return what + (pausing.on ? " was paused already" : " was not paused") +
           (pausing.on && before.same ? who_and_when(*before.same) : "");
  const std::string would = dry_run ? "would be " : "is ";
  return what + " " + would +
         (pausing.on ? "paused: no more of its tasks start, and those that run go on" : "resumed");
}

void say_what_else_is_paused(const std::vector<Pause>& others) {
  for (const Pause& pause : others) note("still paused: " + describe(pause) + who_and_when(pause));
}

}  // namespace

JsonShape pause_shape() { return shape_of<k_fields>(); }

Result<int> run_pausing(const Arguments& arguments, bool on) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const bool dry_run = arguments.has(k_dry_run.name);
  Pausing pausing{TRY(target_of(arguments)), on, false};
  const Known before = TRY(look(TRY(workspace_of(arguments)), pausing.target));
  // The pause of an agent that is gone can still be lifted.
  if (before.agent_missing && (on || !before.same))
    return fail(ErrorCode::not_found, "agent " + pausing.target.name + " not found",
                "'fabric agents' lists the agents of this workspace");
  if (dry_run) {
    pausing.changed = before.same.has_value() != on;
  } else {
    json::Writer params;
    params.begin_object().field("kind", to_string(pausing.target.kind));
    params.field("name", pausing.target.name).field("user", pausing.target.user).end_object();
    const json::Document answer = TRY(perform(arguments, on ? "pause" : "resume", params.text()));
    pausing.changed = json::get_bool(answer, "changed").value_or(false);
  }
  if (choice.wanted()) {
    TRY_STATUS(print(choice.object(k_fields, pausing) + "\n"));
    return 0;
  }
  TRY_STATUS(print(printable(in_words(pausing, before, dry_run)) + "\n"));
  if (!on) say_what_else_is_paused(before.others);
  return 0;
}

}  // namespace fabric::cmd
