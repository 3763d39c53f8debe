// SPDX-License-Identifier: Apache-2.0
// stdout is the answer, stderr is the talk. A command that cannot write its answer fails.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "fabric/arguments.hpp"
#include "fabric/json_field.hpp"

namespace fabric::cmd {

// An Error with this hint is a reader that went away (`| head`): exit quietly, as SIGPIPE would.
inline constexpr std::string_view k_broken_pipe =
    "\x01"
    "broken pipe";

Status print(std::string_view text);
// Text on stderr, as it is.
void print_aside(std::string_view text);
// A line on stderr, "fabric: " before it.
void note(std::string_view line);
void print_error(const Error& error);

// For commands that do the same to several things: an error about one does not stop the others.
class FirstError {
 public:
  // The first is kept, those after it are printed.
  void add(const Error& error);
  // The code 0, or the first error.
  [[nodiscard]] Result<int> result() const;

 private:
  std::optional<Error> first_;
};

// Which fields --json asked for.
class JsonChoice {
 public:
  // Checks the fields named against what there is; usage error listing them. Before anything is
  // changed.
  static Result<JsonChoice> from(const Arguments& arguments);
  static Result<JsonChoice> from(const Arguments& arguments, const JsonShape& shape);

  [[nodiscard]] bool wanted() const { return wanted_; }
  [[nodiscard]] bool includes(std::string_view field) const;

  template <class T, size_t N>
  [[nodiscard]] std::string object(const std::array<JsonField<T>, N>& fields,
                                   const T& value) const {
    json::Writer writer;
    writer.begin_object();
    for (const auto& field : fields) {
      if (!includes(field.name)) continue;
      writer.key(field.name);
      field.write(writer, value);
    }
    writer.end_object();
    return writer.take();
  }

 private:
  bool wanted_ = false;
  std::vector<std::string> fields_;  // empty: all
};

// A JSON array, one element a line.
std::string json_array(const std::vector<std::string>& elements);

}  // namespace fabric::cmd
