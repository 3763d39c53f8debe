// SPDX-License-Identifier: Apache-2.0
#include "config/settings.hpp"
#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

constexpr auto k_fields = std::to_array<JsonField<Error>>({
    {"message", "file:line:column and what is wrong.",
     [](json::Writer& w, const Error& v) { w.string(v.message); }},
    {"hint", "What to change, or null.",
     [](json::Writer& w, const Error& v) { v.hint.empty() ? w.null() : w.string(v.hint); }},
});
JsonShape config_check_shape() { return shape_of<k_fields>(); }

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const std::vector<Error> problems = TRY(config::check(workspace));
  if (choice.wanted()) {
    std::vector<std::string> elements;
    for (const Error& problem : problems) elements.push_back(choice.object(k_fields, problem));
    TRY_STATUS(print(json_array(elements)));
  } else if (problems.empty()) {
    TRY_STATUS(print("no problems\n"));
  }
  if (problems.empty()) return 0;
  if (!choice.wanted())
    for (const Error& problem : problems) print_error(problem);
  return static_cast<int>(ErrorCode::usage);
}

constexpr Example k_examples[] = {
    {"fabric config check", "Names every mistake in every file, by line."},
    {"fabric config check && git commit", "Keeps a wrong setting out of a repository."}};

}  // namespace

const Command k_config_check_command{
    "config check",
    Group::maintenance,
    "check every settings file of the workspace",
    "Names unknown keys (and the nearest known one), wrong types and bad values, with file, line "
    "and "
    "column. The exit code is 2 when there are any. With --json: an array of objects.",
    {},
    {},
    {},
    k_examples,
    config_check_shape,
    run};

}  // namespace fabric::cmd
