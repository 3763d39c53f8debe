// SPDX-License-Identifier: Apache-2.0
#include "base/id.hpp"
#include "fabric/commands.hpp"
#include "fabric/lease.hpp"
#include "fabric/output.hpp"

namespace fabric::cmd {
namespace {

struct Extended {
  std::string id;
  uint64_t lease = 0;
  WallTime until;
};

constexpr auto k_fields = std::to_array<JsonField<Extended>>({
    {"id", "The task's id.", [](json::Writer& w, const Extended& v) { w.string(v.id); }},
    {"lease", "The lease.",
     [](json::Writer& w, const Extended& v) { w.integer(static_cast<int64_t>(v.lease)); }},
    {"lease_until", "When it ends now.",
     [](json::Writer& w, const Extended& v) { w.string(to_rfc3339(v.until)); }},
});
JsonShape extend_shape() { return shape_of<k_fields>(); }

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  Extended extended;
  extended.id = arguments.positional(0);
  TRY_STATUS(check_id(extended.id, "task id"));
  extended.lease = TRY(lease_of(arguments));
  const Duration duration = TRY(time_of(arguments, "--for", k_default_lease));
  json::Writer params;
  params.begin_object().field("id", extended.id).field("lease", extended.lease);
  params.field("seconds", duration.to_seconds()).end_object();
  const json::Document answer = TRY(perform(arguments, "extend", params.text()));
  extended.until = TRY(parse_rfc3339(json::get_string(answer, "lease_until").value_or("")));
  if (choice.wanted()) {
    TRY_STATUS(print(choice.object(k_fields, extended) + "\n"));
    return 0;
  }
  TRY_STATUS(print("extended: " + extended.id + " is yours until " +
                   human(extended.until, system_clock().now()) + "\n"));
  return 0;
}

constexpr Positional k_positionals[] = {{"ID", "A task that was claimed.", Complete::task}};
constexpr Option k_options[] = {
    k_lease, {"--for", "", "DURATION", "How long from now it is to last. Default: 10m."}};
constexpr Example k_examples[] = {
    {"fabric extend t1 --lease 17", "Ten more minutes for task t1, from now on."},
    {"while sleep 60; do fabric extend t1 --for 3m || break; done",
     "Keeps a lease while a program works; FABRIC_LEASE holds its number."}};

}  // namespace

const Command k_extend_command{
    "extend",
    Group::tasks,
    "keep a claimed task for longer",
    "The lease lasts until the given time from now, whether that is sooner or later than before. "
    "Refused when the lease is over (exit code 1): the task went back to the queue, or ended.",
    k_positionals,
    k_options,
    {},
    k_examples,
    extend_shape,
    run};

}  // namespace fabric::cmd
