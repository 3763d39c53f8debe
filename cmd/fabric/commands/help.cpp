// SPDX-License-Identifier: Apache-2.0
#include "fabric/help.hpp"

#include "fabric/arguments.hpp"
#include "fabric/commands.hpp"
#include "fabric/nearest.hpp"
#include "fabric/output.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

Result<int> run(const Arguments& arguments) {
  if (arguments.positionals().empty()) {
    TRY_STATUS(print(help_overview()));
    return 0;
  }
  const std::string name = join(arguments.positionals(), " ");
  if (const Command* command = find_command(name)) {
    TRY_STATUS(print(help_for(*command)));
    return 0;
  }
  std::string below;
  std::vector<std::string_view> known;
  for (const Command* command : all_commands()) {
    known.push_back(command->name);
    if (command->name.starts_with(name + " "))
      below += (below.empty() ? "" : "\n") + help_for(*command);
  }
  if (!below.empty()) {
    TRY_STATUS(print(below));
    return 0;
  }
  const std::string nearest = nearest_name(name, known);
  return fail(
      ErrorCode::usage, "help: there is no command '" + printable(name) + "'",
      nearest.empty() ? "'fabric help' lists the commands" : "did you mean " + nearest + "?");
}

constexpr Positional k_positionals[] = {
    {"COMMAND", "The command to explain. Default: list all.", Complete::command, {}, false, true}};
constexpr Example k_examples[] = {{"fabric help", "Lists the commands."},
                                  {"fabric help spawn", "Explains one of them."}};

}  // namespace

const Command k_help_command{"help",
                             Group::maintenance,
                             "explain a command",
                             "",
                             k_positionals,
                             {},
                             {},
                             k_examples,
                             nullptr,
                             run,
                             /*in_workspace=*/false};

}  // namespace fabric::cmd
