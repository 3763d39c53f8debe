// SPDX-License-Identifier: Apache-2.0
#include "base/id.hpp"
#include "fabric/commands.hpp"
#include "fabric/lease.hpp"
#include "fabric/output.hpp"
#include "model/task.hpp"

namespace fabric::cmd {
namespace {

struct Released {
  std::string id, state;
};

constexpr auto k_fields = std::to_array<JsonField<Released>>({
    {"id", "The task's id.", [](json::Writer& w, const Released& v) { w.string(v.id); }},
    {"state", "Its state now: pending, or cancelled when that was asked for meanwhile.",
     [](json::Writer& w, const Released& v) { w.string(v.state); }},
});
JsonShape release_shape() { return shape_of<k_fields>(); }

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  Released released;
  released.id = arguments.positional(0);
  TRY_STATUS(check_id(released.id, "task id"));
  json::Writer params;
  params.begin_object().field("id", released.id);
  params.field("lease", TRY(lease_of(arguments))).end_object();
  const json::Document answer = TRY(perform(arguments, "release", params.text()));
  released.state = json::get_string(answer, "state").value_or("");
  if (choice.wanted()) {
    TRY_STATUS(print(choice.object(k_fields, released) + "\n"));
    return 0;
  }
  const bool pending = released.state == to_string(TaskState::pending);
  TRY_STATUS(print("released " + released.id +
                   (pending ? ": it waits again in its place of the queue\n"
                            : ": it is " + released.state + "\n")));
  return 0;
}

constexpr Positional k_positionals[] = {{"ID", "A task that was claimed.", Complete::task}};
constexpr Option k_options[] = {k_lease};
constexpr Example k_examples[] = {
    {"fabric release t1 --lease 17", "Gives task t1 back, for whoever claims next."},
    {"FABRIC_LEASE=17 fabric release t1", "The same, with the lease that a script has set."}};

}  // namespace

const Command k_release_command{
    "release",
    Group::tasks,
    "give a claimed task back",
    "The task goes back to its place in the queue. Its next claim is a new attempt under a new "
    "lease; giving back does not count as a failure.",
    k_positionals,
    k_options,
    {},
    k_examples,
    release_shape,
    run};

}  // namespace fabric::cmd
