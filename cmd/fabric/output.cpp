// SPDX-License-Identifier: Apache-2.0
#include "fabric/output.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/fd.hpp"
#include "fabric/nearest.hpp"
#include "fabric/terminal.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {

Status print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EPIPE)
      return fail(ErrorCode::failed, "writing the answer", std::string(k_broken_pipe));
    if (n < 0) return fail_errno(errno, "writing the answer");
    text.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

void print_aside(std::string_view text) { static_cast<void>(write_all(STDERR_FILENO, text)); }

void note(std::string_view line) { print_aside("fabric: " + printable(line) + "\n"); }

void print_error(const Error& error) {
  if (error.hint == k_broken_pipe) return;
  std::string text = "fabric: " + coloured("error:", Colour::red, Stream::err) + " " +
                     printable_lines(error.message) + "\n";
  if (!error.hint.empty())
    text += coloured("  hint:", Colour::dim, Stream::err) + " " + printable(error.hint) + "\n";
  print_aside(text);
}

void FirstError::add(const Error& error) {
  if (first_)
    print_error(error);
  else
    first_ = error;
}

Result<int> FirstError::result() const {
  if (first_) return fail(*first_);
  return 0;
}

Result<JsonChoice> JsonChoice::from(const Arguments& arguments) {
  return from(arguments, arguments.command().json());
}

Result<JsonChoice> JsonChoice::from(const Arguments& arguments, const JsonShape& shape) {
  JsonChoice choice;
  const auto text = arguments.value("--json");
  if (!text) return choice;
  choice.wanted_ = true;
  if (text->empty()) return choice;
  std::vector<std::string_view> known;
  for (size_t i = 0; i < shape.count; ++i) known.push_back(shape.field(i).name);
  for (std::string_view name : split(*text, ',')) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      return fail(ErrorCode::usage, "--json: unknown field '" + printable(name) + "'",
                  "the fields are " + join(known, ", "));
    choice.fields_.emplace_back(name);
  }
  return choice;
}

bool JsonChoice::includes(std::string_view field) const {
  return fields_.empty() || std::find(fields_.begin(), fields_.end(), field) != fields_.end();
}

std::string json_array(const std::vector<std::string>& elements) {
  if (elements.empty()) return "[]\n";
  std::string out = "[\n";
  for (size_t i = 0; i < elements.size(); ++i)
    out += elements[i] + (i + 1 < elements.size() ? ",\n" : "\n");
  return out + "]\n";
}

}  // namespace fabric::cmd
