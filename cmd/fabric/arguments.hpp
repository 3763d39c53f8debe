// SPDX-License-Identifier: Apache-2.0
// What a command line said, by the names in the command's table. Values are text as typed; commands
// turn them into their own Options struct.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "fabric/command.hpp"

namespace fabric::cmd {

class Arguments {
 public:
  explicit Arguments(const Command& command) : command_(&command) {}

  [[nodiscard]] const Command& command() const { return *command_; }
  [[nodiscard]] bool has(std::string_view option) const;
  // The value of an option that takes one; nullopt when it was not given.
  [[nodiscard]] std::optional<std::string> value(std::string_view option) const;
  [[nodiscard]] std::vector<std::string> values(std::string_view option) const;
  // The n-th positional argument, or "" when fewer were given.
  [[nodiscard]] std::string positional(size_t index) const;
  [[nodiscard]] const std::vector<std::string>& positionals() const { return positionals_; }
  // What stood behind "--", untouched.
  [[nodiscard]] const std::vector<std::string>& tail() const { return tail_; }
  [[nodiscard]] bool has_tail() const { return has_tail_; }

  void add(std::string_view option, std::string value);
  void add_positional(std::string value) { positionals_.push_back(std::move(value)); }
  void set_tail(std::vector<std::string> tail);

 private:
  const Command* command_;
  std::vector<std::pair<std::string, std::string>> options_;
  std::vector<std::string> positionals_;
  std::vector<std::string> tail_;
  bool has_tail_ = false;
};

// The n-th value of an option parsed with `parse`, its error naming the option.
template <class T>
Result<std::optional<T>> parsed(const Arguments& arguments, std::string_view option,
                                Result<T> (*parse)(std::string_view)) {
  const auto text = arguments.value(option);
  if (!text) return std::optional<T>{};
  Result<T> value = in_context(parse(*text), std::string(option));
  if (!value) return fail(std::move(value).error());
  return std::optional<T>(*std::move(value));
}

// "key=value" of each use of `option`, in order; a missing "=", an empty key or one key twice is a
// usage error.
Result<std::vector<std::pair<std::string, std::string>>> parsed_pairs(const Arguments& arguments,
                                                                      std::string_view option);

}  // namespace fabric::cmd
