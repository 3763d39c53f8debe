// SPDX-License-Identifier: Apache-2.0
#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

using store::CheckReport;

constexpr auto k_fields = std::to_array<JsonField<CheckReport>>({
    {"records", "How many records were read.",
     [](json::Writer& w, const CheckReport& v) { w.integer(static_cast<int64_t>(v.records)); }},
    {"problems", "One text for each: table, key and what is wrong.",
     [](json::Writer& w, const CheckReport& v) {
       w.begin_array();
       for (const std::string& problem : v.problems) w.string(problem);
       w.end_array();
     }},
});
JsonShape check_shape() { return shape_of<k_fields>(); }

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const store::Store store = TRY(open_store(workspace));
  const CheckReport report = TRY(store.check());
  if (choice.wanted()) {
    TRY_STATUS(print(choice.object(k_fields, report) + "\n"));
    return report.problems.empty() ? 0 : static_cast<int>(ErrorCode::failed);
  }
  std::string text;
  for (const std::string& problem : report.problems) text += printable(problem) + "\n";
  TRY_STATUS(print(text));
  if (!report.problems.empty())
    return fail(ErrorCode::failed,
                "checking the store: " + count_of(report.problems.size(), "problem") + " in " +
                    count_of(report.records, "record"),
                "keep a copy of .fabric/store before anything else writes to it");
  TRY_STATUS(print(count_of(report.records, "record") + ", no problems\n"));
  return 0;
}

constexpr Example k_examples[] = {
    {"fabric store check", "Reads everything and says whether it is sound."},
    {"fabric store check --json=problems", "The problems, for a monitor."}};

}  // namespace

const Command k_store_check_command{
    "store check",
    Group::maintenance,
    "read every record of the store and verify it",
    "Checks checksums, decoding, and that indexes and counters agree with the records. Others may "
    "go "
    "on reading and writing. The exit code is 1 when something is wrong.",
    {},
    {},
    {},
    k_examples,
    check_shape,
    run};

}  // namespace fabric::cmd
