// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/text.hpp"
#include "supervisor/supervisor.hpp"

namespace fabric::cmd {
namespace {

constexpr Option k_detach{"--detach", "-d", "",
                          "Return once it serves; it goes on in the background.", Takes::nothing};

struct Started {
  bool started = false;
  store::SupervisorRecord record;
};

constexpr auto k_fields = std::to_array<JsonField<Started>>({
    {"started", "false when one was running already.",
     [](json::Writer& w, const Started& v) { w.boolean(v.started); }},
    {"pid", "Its process id.", [](json::Writer& w, const Started& v) { w.integer(v.record.pid); }},
    {"since", "When it started.",
     [](json::Writer& w, const Started& v) { w.string(to_rfc3339(v.record.since)); }},
    {"version", "Its version.",
     [](json::Writer& w, const Started& v) { w.string(v.record.version); }},
});
JsonShape up_shape() { return shape_of<k_fields>(); }

Result<int> detach(const config::Workspace& workspace, const JsonChoice& choice) {
  Started result;
  result.started = TRY(start_supervisor(workspace, TRY(own_binary())));
  const store::Store store = TRY(open_store(workspace));
  result.record = TRY(TRY(store.read()).supervisor());
  if (choice.wanted()) {
    TRY_STATUS(print(choice.object(k_fields, result) + "\n"));
    return 0;
  }
  const std::string who = "(pid " + std::to_string(result.record.pid) + ")";
  TRY_STATUS(print(result.started ? "started the supervisor " + who + "\n"
                                  : "the supervisor is running already " + who + "\n"));
  return 0;
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  if (arguments.has(k_detach.name)) return detach(workspace, choice);
  if (choice.wanted())
    return fail(ErrorCode::usage, "up: --json needs --detach",
                "in the foreground it answers nothing");
  SupervisorOptions options;
  options.init_binary = TRY(init_binary());
  options.version = FABRIC_VERSION;
  options.on_ready = [&] {
    note("supervising " + workspace.root + " (pid " + std::to_string(::getpid()) +
         "); stop it with Ctrl-C or 'fabric down'");
  };
  TRY_STATUS(run_supervisor(workspace, options));
  return 0;
}

constexpr Option k_options[] = {k_detach};
constexpr Example k_examples[] = {
    {"fabric up --detach", "Starts the supervisor in the background."},
    {"fabric up", "Runs it in the foreground, for a service manager or to watch it."}};

}  // namespace

const Command k_up_command{
    "up",
    Group::workspace,
    "start the supervisor, which runs the tasks",
    "One supervisor serves a workspace. It takes up what an earlier one left running, also after a "
    "crash. 'fabric spawn' starts one by itself when none runs.",
    {},
    k_options,
    {},
    k_examples,
    up_shape,
    run};

}  // namespace fabric::cmd
