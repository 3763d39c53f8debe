// SPDX-License-Identifier: Apache-2.0
#include "fabric/dispatch.hpp"

#include <signal.h>

#include <string>
#include <vector>

#include "fabric/cli.hpp"
#include "fabric/complete.hpp"
#include "fabric/exit_code.hpp"
#include "fabric/help.hpp"
#include "fabric/man.hpp"
#include "fabric/nearest.hpp"
#include "fabric/options.hpp"
#include "fabric/output.hpp"
#include "fabric/prove_inside.hpp"
#include "fabric/terminal.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

using Words = std::vector<std::string>;

int answer(const std::string& text) {
  const Status printed = print(text);
  return printed ? 0 : exit_code(printed.error(), nullptr);
}

Error unknown_command(const Words& words) {
  std::string typed = words[0];
  std::vector<std::string_view> known;
  std::vector<std::string_view> below;  // "store stat" and its sisters, after "store"
  for (const Command* command : all_commands()) {
    known.push_back(command->name);
    if (command->name.starts_with(typed + " ")) below.push_back(command->name);
  }
  if (!below.empty()) {
    if (words.size() > 1) typed += " " + words[1];
    const std::string what = words.size() > 1 ? "unknown command '" + printable(typed) + "'"
                                              : "'" + printable(typed) + "' needs a second word";
    const std::string meant = words.size() > 1 ? nearest_name(typed, below) : "";
    return {ErrorCode::usage, what,
            meant.empty() ? "there are " + join(below, ", ") : "did you mean " + meant + "?"};
  }
  const std::string nearest = nearest_name(typed, known);
  return {ErrorCode::usage, "unknown command '" + printable(typed) + "'",
          nearest.empty() ? "'fabric help' lists the commands" : "did you mean " + nearest + "?"};
}

// Takes `-C DIR` from before the command's name; it goes behind the name.
Result<Words> take_directory(Words& words) {
  Words taken;
  while (!words.empty() && words[0].starts_with('-')) {
    const std::string& word = words[0];
    const bool apart = word == k_directory.short_name || word == k_directory.name;
    if (apart && words.size() < 2) return fail(ErrorCode::usage, word + " needs a value (DIR)");
    if (apart) {
      taken = {std::string(k_directory.name), words[1]};
      words.erase(words.begin(), words.begin() + 2);
    } else if (word.starts_with(std::string(k_directory.name) + "=") ||
               (word.starts_with(k_directory.short_name) && !word.starts_with("--"))) {
      taken = {word};
      words.erase(words.begin());
    } else {
      return fail(ErrorCode::usage, "unknown option '" + printable(word) + "' before the command",
                  "options follow the command's name; see 'fabric help'");
    }
  }
  return taken;
}

const Command* take_command(Words& words) {
  if (words.size() > 1) {
    if (const Command* command = find_command(words[0] + " " + words[1])) {
      words.erase(words.begin(), words.begin() + 2);
      return command;
    }
  }
  const Command* command = find_command(words[0]);
  if (command) words.erase(words.begin());
  return command;
}

int run_command(Words words) {
  auto directory = take_directory(words);
  if (!directory) return exit_code(directory.error(), nullptr);
  if (words.empty())
    return exit_code({ErrorCode::usage, "no command given", "'fabric help' lists the commands"},
                     nullptr);
  const Command* command = take_command(words);
  if (!command) return exit_code(unknown_command(words), nullptr);
  words.insert(words.begin(), directory->begin(), directory->end());

  auto arguments = parse_arguments(*command, std::move(words));
  if (!arguments) return exit_code(arguments.error(), command);
  if (arguments->has(k_help.name)) return answer(help_for(*command));
  const Result<int> code = command->run(*arguments);
  return code ? *code : exit_code(code.error(), command);
}

}  // namespace

int fabric_main(int argc, char** argv) {
  reserve_standard_descriptors();
  // With a caller's `ulimit -f` a write fails, and what was written says so; it does not end us.
  ::signal(SIGXFSZ, SIG_IGN);
  Words words(argv + (argc > 0 ? 1 : 0), argv + argc);
  if (words.empty()) {
    print_aside(help_overview());
    return static_cast<int>(ErrorCode::usage);
  }
  const std::string& first = words[0];
  if (first == "--version" || first == "-V" || (first == "version" && words.size() == 1))
    return answer(version_line());
  if (first == "--help" || first == "-h") return answer(help_overview());
  if (first == "__complete") return answer(complete({words.begin() + 1, words.end()}));
  if (first == "__prove") return prove_inside({words.begin() + 1, words.end()});
  if (first == "__man") {
    const auto page = manual_page(join(Words(words.begin() + 1, words.end()), " "));
    return page ? answer(*page) : exit_code(page.error(), nullptr);
  }
  return run_command(std::move(words));
}

}  // namespace fabric::cmd
