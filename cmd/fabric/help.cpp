// SPDX-License-Identifier: Apache-2.0
#include "fabric/help.hpp"

#include <algorithm>

#include "fabric/options.hpp"
#include "fabric/terminal.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

size_t page_width() {
  const size_t width = terminal_width();
  return width == 0 ? 80 : std::clamp<size_t>(width, 40, 100);
}

std::string heading(std::string_view text) { return coloured(text, Colour::bold) + "\n"; }

std::string entry(std::string_view title, std::string_view help, size_t column) {
  std::string text = "  " + std::string(title);
  std::string body = wrap(help, page_width(), column);
  if (title.size() + 4 <= column) return text + body.substr(text.size());
  return text + "\n" + body;
}

std::string with_choices(std::string_view help, std::string_view choices) {
  if (choices.empty()) return std::string(help);
  return std::string(help) + " One of: " + join(split(choices, '|'), ", ") + ".";
}

}  // namespace

std::string version_line() { return "fabric " FABRIC_VERSION "\n"; }

std::string_view group_title(Group group) {
  switch (group) {
    case Group::workspace:
      return "Workspace";
    case Group::agents:
      return "Agents";
    case Group::tasks:
      return "Tasks";
    case Group::maintenance:
      return "Maintenance";
    case Group::hidden:
      break;
  }
  return "";
}

std::string usage_line(const Command& command) {
  std::string line(command.name);
  for (const Positional& positional : command.positionals) {
    std::string name(positional.name);
    if (positional.repeated) name += "...";
    line += positional.required ? " " + name : " [" + name + "]";
  }
  line += " [OPTIONS]";
  if (!command.tail.empty()) line += " [-- " + std::string(command.tail) + "]";
  return line;
}

std::string option_title(const Option& option) {
  std::string title;
  if (!option.short_name.empty()) title = std::string(option.short_name) + ", ";
  title += option.name;
  if (option.takes == Takes::optional_value)
    return title + "[=" + std::string(option.metavar) + "]";
  if (!option.metavar.empty()) title += " " + std::string(option.metavar);
  if (option.takes == Takes::values) title += " ...";
  return title;
}

std::string help_overview() {
  std::string out =
      "fabric runs fleets of AI agents on this machine: each in its own sandbox, with "
      "a durable\nqueue of tasks.\n\n";
  out += heading("Examples");
  out += "  $ fabric init && fabric spawn greeter -- sh -c 'echo hello'\n";
  out += "  $ fabric run greeter\n";
  for (Group group : {Group::workspace, Group::agents, Group::tasks, Group::maintenance}) {
    out += "\n" + heading(group_title(group));
    for (const Command* command : all_commands())
      if (command->group == group) out += entry(command->name, command->summary, 18);
  }
  out += "\n'fabric help COMMAND' explains one. 'man fabric' has the exit codes and the files.\n";
  return out;
}

std::string help_for(const Command& command) {
  std::string out =
      "fabric " + std::string(command.name) + ": " + std::string(command.summary) + "\n";
  if (!command.examples.empty()) {
    out += "\n" + heading("Examples");
    for (const Example& example : command.examples)
      out +=
          "  $ " + std::string(example.command_line) + "\n" + wrap(example.does, page_width(), 6);
  }
  out += "\n" + heading("Usage") + "  fabric " + usage_line(command) + "\n";
  if (!command.description.empty()) {
    std::string_view rest = command.description;
    while (!rest.empty()) {
      const size_t end = std::min(rest.find("\n\n"), rest.size());
      out += "\n" + wrap(rest.substr(0, end), page_width(), 0);
      rest.remove_prefix(std::min(end + 2, rest.size()));
    }
  }
  if (!command.positionals.empty()) {
    out += "\n" + heading("Arguments");
    for (const Positional& positional : command.positionals)
      out += entry(positional.name, with_choices(positional.help, positional.choices), 30);
  }
  out += "\n" + heading("Options");
  for_each_option(command, [&](const Option& option) {
    out += entry(option_title(option), with_choices(option.help, option.choices), 30);
  });
  return out;
}

}  // namespace fabric::cmd
