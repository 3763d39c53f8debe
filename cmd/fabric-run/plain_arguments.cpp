// SPDX-License-Identifier: Apache-2.0
#include "fabric-run/plain_arguments.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace fabric::cmd {

namespace {

// What needs neither a helper, nor another system call policy than the built-in one, nor an image.
constexpr std::array<std::string_view, 20> k_served{"--isolation",
                                                    "--memory",
                                                    "--cpu",
                                                    "--pids",
                                                    "--nofile",
                                                    "--file-size",
                                                    "--tmp",
                                                    "--shm",
                                                    "--work",
                                                    "--ro",
                                                    "--rw",
                                                    "--hide",
                                                    "--no-write",
                                                    "--env",
                                                    "--secret",
                                                    "--grace",
                                                    "--timeout",
                                                    "--degrade",
                                                    "--no-protect-git",
                                                    "--die-with-parent"};

const Option* served(const Command& command, std::string_view name) {
  if (std::find(k_served.begin(), k_served.end(), name) == k_served.end()) return nullptr;
  for (const Option& option : command.options)
    if (option.name == name) return &option;
  return nullptr;
}

// Nothing that fabric would refuse, or take for another option.
bool is_plain(const Arguments& arguments, const Option& option, std::string_view value) {
  if (value.empty() || value[0] == '-') return false;
  if (option.takes == Takes::value && arguments.has(option.name)) return false;
  return option.name != "--isolation" || value == "none" || value == "process";
}

}  // namespace

std::optional<Arguments> plain_arguments(const Command& command, std::span<char* const> words) {
  Arguments arguments(command);
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word == "--") {
      if (i + 1 == words.size()) return std::nullopt;
      arguments.set_tail({words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end()});
      return arguments;
    }
    const size_t equals = word.find('=');
    const Option* option = served(command, word.substr(0, equals));
    if (option == nullptr) return std::nullopt;
    if (option->takes == Takes::nothing) {
      if (equals != std::string_view::npos) return std::nullopt;
      arguments.add(option->name, "true");
      continue;
    }
    if (equals == std::string_view::npos && ++i == words.size()) return std::nullopt;
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view(words[i]) : word.substr(equals + 1);
    if (!is_plain(arguments, *option, value)) return std::nullopt;
    arguments.add(option->name, std::string(value));
  }
  return std::nullopt;
}

}  // namespace fabric::cmd
