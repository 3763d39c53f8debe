// SPDX-License-Identifier: Apache-2.0
// CLI11 is given options only, and none of its conveniences: it would split "[a,b]" in repeated
// positionals into two arguments and drop "[]", take the word after "--name=" as its value, and
// stop at the first of its own error codes. So argv is cut at "--" before, positionals are what it
// leaves over, and the table's rules are checked here.
#include "fabric/cli.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "fabric/nearest.hpp"
#include "fabric/options.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

constexpr const char* k_bare = "*";  // what CLI11 reports for --json without a value

std::string help_hint(const Command& command) {
  return "see 'fabric " + std::string(command.name) + " --help'";
}

const Option* find_option(const Command& command, std::string_view name) {
  const Option* found = nullptr;
  for_each_option(command, [&](const Option& option) {
    if (option.name == name || (!option.short_name.empty() && option.short_name == name))
      found = &option;
  });
  return found;
}

Error unknown_option(const Command& command, const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  std::vector<std::string_view> known;
  for_each_option(command, [&](const Option& option) { known.push_back(option.name); });
  const std::string nearest = nearest_name(name, known);
  return {ErrorCode::usage,
          std::string(command.name) + ": unknown option '" + printable(name) + "'",
          nearest.empty() ? help_hint(command) : "did you mean " + nearest + "?"};
}

// "--name=" becomes "--name" and "".
std::vector<std::string> with_empty_values(const Command& command,
                                           const std::vector<std::string>& words) {
  std::vector<std::string> out;
  for (const std::string& word : words) {
    if (word.starts_with("--") && word.ends_with('=') && word.find('=') == word.size() - 1) {
      const Option* option = find_option(command, word.substr(0, word.size() - 1));
      if (option && (option->takes == Takes::value || option->takes == Takes::values)) {
        out.emplace_back(option->name);
        out.emplace_back();
        continue;
      }
    }
    out.push_back(word);
  }
  return out;
}

void declare(CLI::App& app, const Option& option, std::vector<std::string>& into) {
  std::string names(option.name);
  if (!option.short_name.empty()) names = std::string(option.short_name) + "," + names;
  if (option.takes == Takes::nothing || option.takes == Takes::optional_value) {
    if (option.takes == Takes::optional_value) names += std::string("{") + k_bare + "}";
    app.add_flag(names, into)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    return;
  }
  app.add_option(names, into)
      ->type_size(1)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

Status check_choice(std::string_view choices, const std::string& what, const std::string& value) {
  if (choices.empty()) return {};
  const auto known = split(choices, '|');
  if (std::find(known.begin(), known.end(), value) != known.end()) return {};
  const std::string nearest = nearest_name(value, known);
  return fail(ErrorCode::usage,
              what + ": '" + printable(value) + "' is none of " + join(known, ", "),
              nearest.empty() ? "" : "did you mean " + nearest + "?");
}

Status check_positionals(const Command& command, const Arguments& arguments) {
  const auto& given = arguments.positionals();
  const std::string name(command.name);
  size_t required = 0;
  for (const Positional& positional : command.positionals)
    if (positional.required) ++required;
  if (given.size() < required)
    return fail(ErrorCode::usage,
                name + ": " + std::string(command.positionals[given.size()].name) + " is missing",
                help_hint(command));
  const bool open_ended = !command.positionals.empty() && command.positionals.back().repeated;
  if (given.size() > command.positionals.size() && !open_ended)
    return fail(
        ErrorCode::usage,
        name + ": unexpected argument '" + printable(given[command.positionals.size()]) + "'",
        help_hint(command));
  for (size_t i = 0; i < given.size(); ++i) {
    const Positional& positional = command.positionals[std::min(i, command.positionals.size() - 1)];
    TRY_STATUS(
        check_choice(positional.choices, name + ": " + std::string(positional.name), given[i]));
  }
  return {};
}

}  // namespace

Result<Arguments> parse_arguments(const Command& command, std::vector<std::string> words) {
  Arguments arguments(command);
  const auto cut = std::find(words.begin(), words.end(), "--");
  if (cut != words.end()) {
    arguments.set_tail({cut + 1, words.end()});
    words.erase(cut, words.end());
  }

  std::vector<const Option*> options;
  for_each_option(command, [&](const Option& option) { options.push_back(&option); });
  std::vector<std::vector<std::string>> values(options.size());
  std::vector<std::string> rest;
  try {
    CLI::App app;
    app.set_help_flag();
    app.allow_extras();
    for (size_t i = 0; i < options.size(); ++i) declare(app, *options[i], values[i]);
    std::vector<std::string> reversed = with_empty_values(command, words);
    std::reverse(reversed.begin(), reversed.end());
    app.parse(reversed);
    rest = app.remaining();
  } catch (const CLI::ArgumentMismatch&) {
    const Option* option = words.empty() ? nullptr : find_option(command, words.back());
    if (option)
      return fail(ErrorCode::usage,
                  std::string(command.name) + ": " + std::string(option->name) +
                      " needs a value (" + std::string(option->metavar) + ")",
                  help_hint(command));
    return fail(ErrorCode::usage, std::string(command.name) + ": a flag takes no value",
                help_hint(command));
  } catch (const std::exception& error) {
    return fail(ErrorCode::usage, std::string(command.name) + ": " + error.what(),
                help_hint(command));
  }

  for (size_t i = 0; i < options.size(); ++i) {
    for (std::string& value : values[i]) {
      if (options[i]->takes == Takes::optional_value && value == k_bare) value.clear();
      arguments.add(options[i]->name, std::move(value));
    }
  }
  for (std::string& word : rest) arguments.add_positional(word);
  if (arguments.has(k_help.name)) return arguments;

  for (const std::string& word : rest)
    if (word.size() > 1 && word[0] == '-') return fail(unknown_option(command, word));
  for (size_t i = 0; i < options.size(); ++i) {
    const std::string what = std::string(command.name) + ": " + std::string(options[i]->name);
    const auto given = arguments.values(options[i]->name);
    if (given.size() > 1 && options[i]->takes != Takes::values &&
        options[i]->takes != Takes::nothing)
      return fail(ErrorCode::usage, what + " is given more than once");
    if (options[i]->takes == Takes::nothing)
      for (const std::string& value : given)
        if (value != "true") return fail(ErrorCode::usage, what + " takes no value");
    for (const std::string& value : given)
      TRY_STATUS(check_choice(options[i]->choices, what, value));
  }
  TRY_STATUS(check_positionals(command, arguments));
  if (arguments.has_tail() && command.tail.empty())
    return fail(ErrorCode::usage, std::string(command.name) + ": nothing may follow '--'",
                help_hint(command));
  return arguments;
}

}  // namespace fabric::cmd
