// SPDX-License-Identifier: Apache-2.0
#include "fabric/man.hpp"

#include <algorithm>
#include <utility>

#include "fabric/command.hpp"
#include "fabric/help.hpp"
#include "fabric/options.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

constexpr std::string_view k_date = "November 25, 2026";  // of the release

constexpr std::pair<std::string_view, std::string_view> k_exit_codes[] = {
    {"0", "Done."},
    {"1", "It was tried and failed."},
    {"2", "Wrong arguments or an invalid configuration; nothing was changed."},
    {"3", "No such thing, or it is not running."},
    {"4", "Denied by policy."},
    {"5", "Over budget."},
    {"6", "The queue is full."},
    {"7", "Waits for an approval."},
    {"8", "A deadline passed."},
    {"9", "Not available on this machine; the message says how to mend that."},
    {"10", "Nothing to do."},
    {"125",
     "From fabric run: fabric itself refused or failed. Any other code is the task's own "
     "(126 and 127: its command could not be started; 128+n: it was killed by signal n)."},
    {"130", "Interrupted."},
};

constexpr std::pair<std::string_view, std::string_view> k_environment[] = {
    {"FABRIC_WORKSPACE", "Directory of the workspace to work in, when -C is not given."},
    {"FABRIC_CORRELATION_ID", "Correlation id of what is done; else each command makes one."},
    {"FABRIC_LEASE", "Lease of a claimed task, when --lease is not given; see fabric-claim(1)."},
    {"TRACEPARENT", "W3C trace context that new tasks belong to."},
    {"NO_COLOR", "When set, nothing is coloured."},
    {"COLUMNS", "Width for tables, instead of the terminal's."},
    {"XDG_STATE_HOME", "Where the list of trusted workspaces is kept, instead of ~/.local/state."},
};

constexpr std::pair<std::string_view, std::string_view> k_files[] = {
    {"fabric.toml", "Settings of a workspace; the directory that holds it is the workspace."},
    {"agents/ID/agent.toml", "Definition of an agent."},
    {"tenant.toml", "Settings of all workspaces below its directory."},
    {"/etc/fabric/fabric.toml", "Settings of all workspaces of the machine."},
    {".fabric/",
     "State of a workspace: store, sockets, logs and work directories. Only fabric "
     "writes here."},
};

// Text that roff takes literally, except at the start of a line.
std::string literal(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
  }
  return out;
}

// An argument of a macro: quoted, so that nothing in it is called as one.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : literal(text)) out += c == '"' ? std::string("\\(dq") : std::string(1, c);
  return out + "\"";
}

// One sentence a line, as mdoc wants it, in lines of at most 79 columns.
std::string sentences(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    size_t end = text.find(". ");
    while (end != std::string_view::npos && !(text[end + 2] >= 'A' && text[end + 2] <= 'Z'))
      end = text.find(". ", end + 1);
    const std::string_view sentence = text.substr(0, end == std::string_view::npos ? end : end + 1);
    const std::string lines = wrap(literal(sentence), 79, 0);
    for (std::string_view line : split(lines, '\n'))
      if (!line.empty())
        out += (line[0] == '.' || line[0] == '\'' ? "\\&" : "") + std::string(line) + "\n";
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 2);
  }
  return out;
}

std::string paragraphs(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t end = std::min(text.find("\n\n"), text.size());
    if (!out.empty()) out += ".Pp\n";
    out += sentences(text.substr(0, end));
    text.remove_prefix(std::min(end + 2, text.size()));
  }
  return out;
}

std::string page_name(std::string_view command) {
  std::string name = "fabric";
  if (!command.empty()) name += "-" + std::string(command);
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string header(const std::string& name, std::string_view summary) {
  std::string title = name;
  for (char& c : title) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return ".\\\" Made by 'fabric __man'; change the command table instead.\n.Dd " +
         std::string(k_date) + "\n.Dt " + title + " 1\n.Os\n.Sh NAME\n.Nm " + name + "\n.Nd " +
         literal(summary) + "\n";
}

template <class Rows>
std::string table(const Rows& rows, std::string_view macro) {
  std::string out = ".Bl -tag -width Ds\n";
  for (const auto& [term, meaning] : rows)
    out += ".It " + std::string(macro) + " " + quoted(term) + "\n" + sentences(meaning);
  return out + ".El\n";
}

std::string option_item(const Option& option) {
  std::string out = ".It ";
  if (!option.short_name.empty()) out += "Fl " + std::string(option.short_name.substr(1)) + " , ";
  out += "Fl " + literal(option.name.substr(1));
  if (option.takes == Takes::optional_value)
    out += " Ns Op = Ns Ar " + quoted(option.metavar);
  else if (!option.metavar.empty())
    out += " Ar " + quoted(option.metavar);
  out += "\n" + sentences(option.help);
  if (!option.choices.empty())
    out += sentences("One of " + join(split(option.choices, '|'), ", ") + ".");
  if (option.takes == Takes::values) out += "May be given several times.\n";
  return out;
}

std::string synopsis(const Command& command) {
  std::string out = ".Sh SYNOPSIS\n.Nm fabric " + std::string(command.name) + "\n";
  for (const Positional& positional : command.positionals) {
    const std::string dots = positional.repeated ? " ..." : "";
    out += (positional.required ? ".Ar " : ".Op Ar ") + quoted(positional.name) + dots + "\n";
  }
  for_each_option(command, [&](const Option& option) {
    out += ".Op Fl " + literal(option.name.substr(1));
    if (option.takes == Takes::optional_value)
      out += " Ns Op = Ns Ar " + quoted(option.metavar);
    else if (!option.metavar.empty())
      out += " Ar " + quoted(option.metavar);
    out += "\n";
  });
  if (!command.tail.empty()) out += ".Op Fl \\- Ar " + quoted(command.tail) + "\n";
  return out;
}

std::string command_page(const Command& command) {
  std::string out = header(page_name(command.name), command.summary) + synopsis(command);
  out += ".Sh DESCRIPTION\n" + paragraphs(command.description.empty()
                                              ? std::string(command.summary) + "."
                                              : std::string(command.description));
  if (!command.positionals.empty()) {
    out += ".Pp\nIts arguments:\n.Bl -tag -width Ds\n";
    for (const Positional& positional : command.positionals) {
      out += ".It Ar " + quoted(positional.name) + "\n" + sentences(positional.help);
      if (!positional.choices.empty())
        out += "One of " + literal(join(split(positional.choices, '|'), ", ")) + ".\n";
    }
    out += ".El\n";
  }
  out += ".Pp\nIts options:\n.Bl -tag -width Ds\n";
  for_each_option(command, [&](const Option& option) { out += option_item(option); });
  out += ".El\n.Sh EXIT STATUS\n";
  out += command.gives_task_code
             ? "That of the task; 128+n when signal n ended it; 125 when fabric itself refused.\n"
             : "0 on success; the others are explained in\n.Xr fabric 1 .\n";
  if (!command.examples.empty()) {
    out += ".Sh EXAMPLES\n";
    for (const Example& example : command.examples)
      out += sentences(example.does) + ".Pp\n.Dl $ " + literal(example.command_line) + "\n.Pp\n";
    out.erase(out.size() - 4);
  }
  if (command.json) {
    out +=
        ".Sh JSON\nThe fields of the object that\n.Fl \\-json\nanswers with:\n.Bl -tag -width Ds\n";
    const JsonShape shape = command.json();
    for (size_t i = 0; i < shape.count; ++i)
      out += ".It Va " + quoted(shape.field(i).name) + "\n" + sentences(shape.field(i).help);
    out += ".El\n";
  }
  return out + ".Sh SEE ALSO\n.Xr fabric 1\n";
}

std::string main_page() {
  std::string out = header("fabric", "run fleets of AI agents, each in its own sandbox");
  out +=
      ".Sh SYNOPSIS\n.Nm fabric\n.Op Fl C Ar DIR\n.Ar COMMAND\n.Op Ar ...\n"
      ".Nm fabric\n.Fl \\-version\n.Sh DESCRIPTION\n";
  out += paragraphs(
      "A workspace is a directory with fabric.toml. In it, agents are spawned (any command, each "
      "in "
      "its own sandbox) and tasks are scheduled for them in a durable queue, which a supervisor in "
      "the background works off.\n\n"
      "Every command that answers does so on stdout, for people or, with --json, for programs; "
      "what "
      "else it has to say goes to stderr. What was acknowledged is on disk.");
  for (Group group : {Group::workspace, Group::agents, Group::tasks, Group::maintenance}) {
    out += ".Ss " + std::string(group_title(group)) + "\n.Bl -tag -width Ds\n";
    for (const Command* command : all_commands())
      if (command->group == group)
        out += ".It Xr " + page_name(command->name) + " 1\n" + literal(command->summary) + ".\n";
    out += ".El\n";
  }
  out += ".Sh ENVIRONMENT\n" + table(k_environment, "Ev");
  out += ".Sh FILES\n" + table(k_files, "Pa");
  out += ".Sh EXIT STATUS\n" + table(k_exit_codes, "Sy");
  out +=
      ".Sh EXAMPLES\nAn agent that greets, and one task for it:\n.Bd -literal -offset indent\n"
      "$ fabric init\n$ fabric spawn greeter \\-\\- sh \\-c 'echo hello'\n$ fabric run greeter\n"
      "hello\n.Ed\n";
  return out;
}

}  // namespace

Result<std::string> manual_page(const std::string& name) {
  if (name.empty()) return main_page();
  if (name == "--list") {
    std::string names;
    for (const Command* command : all_commands())
      if (command->group != Group::hidden) names += std::string(command->name) + "\n";
    return names;
  }
  const Command* command = find_command(name);
  if (!command)
    return fail(ErrorCode::usage, "no manual page for '" + printable(name) + "'",
                "'fabric help' lists the commands");
  return command_page(*command);
}

}  // namespace fabric::cmd
