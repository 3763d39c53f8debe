// SPDX-License-Identifier: Apache-2.0
// The log of the supervisor: a message and named values, as JSON lines in a rotated file or as text
// on standard error. The one global of the project. Before to_file() or to_stderr() nothing is
// written. Values are written as they are given: redact them before. Thread-safe.
//
//   log::info("task started", {{"task", task.id}, {"agent", agent.id}, {"attempt", attempt}});
//   {"ts":"2026-11-25T01:02:03.456789Z","level":"info","msg":"task started","task":"...",...}
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fabric::log {

enum class Level : uint8_t { debug, info, warn, error };
std::string_view to_string(Level level);
Result<Level> parse_level(std::string_view text);

// A name and a value; lives only as long as the call it stands in.
class Field {
 public:
  Field(std::string_view key, std::string_view value) : key_(key), text_(value) {}
  Field(std::string_view key, const std::string& value) : key_(key), text_(value) {}
  Field(std::string_view key, const char* value) : key_(key), text_(value) {}
  Field(std::string_view key, bool value)
      : key_(key), text_(value ? "true" : "false"), raw_(true) {}
  template <std::integral T>
  Field(std::string_view key, T value) : key_(key), text_(std::to_string(value)), raw_(true) {}

  [[nodiscard]] std::string_view key() const { return key_; }
  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] bool is_json() const { return raw_; }  // a number or boolean

 private:
  std::string_view key_;
  std::string text_;
  bool raw_ = false;
};
using Fields = std::initializer_list<Field>;

constexpr size_t k_file_size = size_t{10} << 20;
constexpr size_t k_old_files = 2;  // NAME.1.log and NAME.2.log beside NAME.log

// Each replaces where lines went before. The file and its rotated ones have mode 0600.
Status to_file(const std::string& path, Level least = Level::info, size_t rotate_at = k_file_size);
void to_stderr(Level least = Level::info);
// Writes what is buffered and stops logging.
void close();

void write(Level level, std::string_view message, Fields fields = {});
inline void debug(std::string_view message, Fields fields = {}) {
  write(Level::debug, message, fields);
}
inline void info(std::string_view message, Fields fields = {}) {
  write(Level::info, message, fields);
}
inline void warn(std::string_view message, Fields fields = {}) {
  write(Level::warn, message, fields);
}
inline void error(std::string_view message, Fields fields = {}) {
  write(Level::error, message, fields);
}

}  // namespace fabric::log
