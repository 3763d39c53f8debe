// SPDX-License-Identifier: Apache-2.0
#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/text.hpp"
#include "store/ownership.hpp"

namespace fabric::cmd {
namespace {

constexpr auto k_fields = std::to_array<JsonField<DownReply>>({
    {"finished", "Running tasks that ended by themselves before the stop.",
     [](json::Writer& w, const DownReply& v) { w.integer(static_cast<int64_t>(v.finished)); }},
    {"stopped", "Running tasks that were ended.",
     [](json::Writer& w, const DownReply& v) { w.integer(static_cast<int64_t>(v.stopped)); }},
});
JsonShape down_shape() { return shape_of<k_fields>(); }

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  if (!TRY(store::Ownership::holder(workspace.owner_path())))
    return fail(ErrorCode::not_found, "no supervisor is running in " + workspace.root,
                "'fabric up --detach' starts one");
  Client client = TRY(Client::open(workspace));
  const DownReply reply = TRY(client.down());
  if (choice.wanted()) {
    TRY_STATUS(print(choice.object(k_fields, reply) + "\n"));
    return 0;
  }
  std::string text = "stopped the supervisor and its agents";
  if (reply.finished + reply.stopped > 0)
    text += " (" + count_of(reply.finished, "task") + " finished first, " +
            std::to_string(reply.stopped) + " stopped)";
  TRY_STATUS(print(text + "\n"));
  return 0;
}

constexpr Example k_examples[] = {{"fabric down", "Stops the supervisor of this workspace."},
                                  {"fabric -C ~/work/web down", "Stops that of another one."}};

}  // namespace

const Command k_down_command{
    "down",
    Group::workspace,
    "stop the supervisor and every process of its agents",
    "Waits for running tasks as long as supervisor.stop_timeout says, then stops them. Tasks that "
    "have not started stay queued and agents stay known: the next 'fabric up' goes on with them.",
    {},
    {},
    {},
    k_examples,
    down_shape,
    run};

}  // namespace fabric::cmd
