// SPDX-License-Identifier: Apache-2.0
#include "fabric/complete.hpp"

#include <algorithm>

#include "fabric/command.hpp"
#include "fabric/nearest.hpp"
#include "fabric/options.hpp"
#include "fabric/session.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

class Candidates {
 public:
  explicit Candidates(std::string prefix) : prefix_(std::move(prefix)) {}
  void add(std::string_view word, std::string_view description = {}) {
    if (!word.starts_with(prefix_)) return;
    text_ += word;
    if (!description.empty()) text_ += "\t" + std::string(description);
    text_ += "\n";
  }
  void ask_shell(std::string_view kind) { text_ += ":" + std::string(kind) + "\n"; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string prefix_;
  std::string text_;
};

void add_commands(Candidates& out, const std::string& first) {
  std::string last;
  for (const Command* command : all_commands()) {
    if (command->group == Group::hidden) continue;
    std::string_view name = command->name;
    if (!first.empty()) {
      if (!name.starts_with(first + " ")) continue;
      out.add(name.substr(first.size() + 1), command->summary);
    } else if (const size_t space = name.find(' '); space != std::string_view::npos) {
      if (last != name.substr(0, space)) out.add(name.substr(0, space));
      last = name.substr(0, space);
    } else {
      out.add(name, command->summary);
    }
  }
}

// Ids come from the store as it is now; a workspace that cannot be read offers none.
Result<void> add_ids(Candidates& out, const std::string& directory, bool agents, bool tasks) {
  config::FindOptions options;
  options.start = directory;
  const auto workspace = TRY(config::find_workspace(options));
  const store::Store store = TRY(open_store(workspace));
  const store::ReadTxn txn = TRY(store.read());
  if (agents)
    for (const Agent& agent : TRY(txn.list_agents()))
      out.add(agent.definition.id, agent.definition.model);
  store::TaskFilter filter;
  filter.limit = 200;
  if (tasks)
    for (const Task& task : TRY(txn.list_tasks(filter)))
      out.add(task.id, task.agent + ", " + std::string(to_string(task.state)));
  return {};
}

void add_values(Candidates& out, Complete kind, std::string_view choices,
                const std::string& directory) {
  if (!choices.empty())
    for (std::string_view choice : split(choices, '|')) out.add(choice);
  switch (kind) {
    case Complete::nothing:
      return;
    case Complete::file:
      return out.ask_shell("file");
    case Complete::directory:
      return out.ask_shell("directory");
    case Complete::command:
      return add_commands(out, "");
    case Complete::agent:
    case Complete::task:
    case Complete::agent_or_task:
      static_cast<void>(add_ids(out, directory, kind != Complete::task, kind != Complete::agent));
  }
}

const Option* option_named(const Command& command, std::string_view name) {
  const Option* found = nullptr;
  for_each_option(command, [&](const Option& option) {
    if (option.name == name || (!option.short_name.empty() && option.short_name == name))
      found = &option;
  });
  return found;
}

bool takes_next(const Option* option) {
  return option && (option->takes == Takes::value || option->takes == Takes::values);
}

void complete_in(Candidates& out, const Command& command, const std::vector<std::string>& words,
                 std::string directory) {
  size_t positionals = 0;
  const Option* pending = nullptr;
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == "--") return;  // the agent's command: the shell knows more than we do
    if (pending) {
      if (pending->name == k_directory.name) directory = words[i];
      pending = nullptr;
      continue;
    }
    if (words[i].starts_with('-')) {
      const Option* option = option_named(command, words[i]);
      if (takes_next(option)) pending = option;
    } else {
      ++positionals;
    }
  }
  if (pending) return add_values(out, pending->complete, pending->choices, directory);
  if (words.back().starts_with('-')) {
    for_each_option(command, [&](const Option& option) { out.add(option.name, option.help); });
    return;
  }
  if (command.positionals.empty()) return;
  if (positionals >= command.positionals.size() && !command.positionals.back().repeated) return;
  const Positional& positional =
      command.positionals[std::min(positionals, command.positionals.size() - 1)];
  add_values(out, positional.complete, positional.choices, directory);
}

}  // namespace

std::string complete(const std::vector<std::string>& given) {
  std::vector<std::string> words = given;
  if (words.empty()) return {};
  Candidates out(words.back());
  const char* from_environment = std::getenv("FABRIC_WORKSPACE");
  std::string directory = from_environment ? from_environment : "";
  if (words.size() > 2 && (words[0] == k_directory.short_name || words[0] == k_directory.name)) {
    directory = words[1];
    words.erase(words.begin(), words.begin() + 2);
  }
  if (words.size() == 1) {
    add_commands(out, "");
    return out.text();
  }
  const Command* command = find_command(words[0]);
  size_t name_words = 1;
  if (!command && words.size() == 2) {
    add_commands(out, words[0]);
    return out.text();
  }
  if (!command) {
    command = find_command(words[0] + " " + words[1]);
    name_words = 2;
  }
  if (!command) return {};
  words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(name_words));
  complete_in(out, *command, words, directory);
  return out.text();
}

}  // namespace fabric::cmd
