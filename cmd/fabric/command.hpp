// SPDX-License-Identifier: Apache-2.0
// The command table. A command is one file in commands/: a constexpr Command and its run().
// Parsing, help, manual pages and completion are all made from this table, so they cannot disagree.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.hpp"
#include "fabric/json_field.hpp"

namespace fabric::cmd {

class Arguments;

enum class Group : uint8_t { workspace, agents, tasks, maintenance, hidden };

// What the shell offers for a value.
enum class Complete : uint8_t { nothing, file, directory, agent, task, agent_or_task, command };

struct Positional {
  std::string_view name;  // as shown: "AGENT"
  std::string_view help;
  Complete complete = Complete::nothing;
  std::string_view choices = {};  // "bash|zsh|fish": nothing else is taken
  bool required = true;
  bool repeated = false;  // the last one may take all that is left
};

enum class Takes : uint8_t {
  nothing,         // a flag
  value,           // one value, given once
  values,          // may be given several times
  optional_value,  // --json or --json=VALUE; never the next argument
};

struct Option {
  std::string_view name;        // "--model"
  std::string_view short_name;  // "-m", or ""
  std::string_view metavar;     // "M"; "" for a flag
  std::string_view help;
  Takes takes = Takes::value;
  Complete complete = Complete::nothing;
  std::string_view choices = {};
};

struct Example {
  std::string_view command_line;
  std::string_view does;
};

struct Command {
  std::string_view name;  // "spawn", "store stat"
  Group group;
  std::string_view summary;      // one line, no full stop
  std::string_view description;  // paragraphs for help and manual, separated by empty lines
  std::span<const Positional> positionals;
  std::span<const Option> options;  // besides the common ones of options.hpp
  std::string_view tail;            // what may follow "--": "COMMAND..."; "" when nothing may
  std::span<const Example> examples;
  JsonShape (*json)();  // of the answer (the element, when it is a list); nullptr: no --json
  // The exit code of the process, or what failed.
  Result<int> (*run)(const Arguments&);
  bool in_workspace = true;      // takes -C
  bool gives_task_code = false;  // its exit code is the task's; its own refusals give 125
};

// In the order in which help shows them.
std::span<const Command* const> all_commands();
const Command* find_command(std::string_view name);

}  // namespace fabric::cmd
