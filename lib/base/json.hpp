// SPDX-License-Identifier: Apache-2.0
// JSON (RFC 8259) in and out, on RapidJSON. Input is hostile: parsing is iterative (no recursion to
// overflow), depth is limited, UTF-8 is checked, and an error names line and column.
#pragma once

#define RAPIDJSON_HAS_STDSTRING 1
// RapidJSON adds to a null pointer while a stack of its is empty: harmless, but clang's sanitizer
// stops there.
#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wignored-attributes"
#pragma clang attribute push(__attribute__((no_sanitize("pointer-overflow"))), apply_to = function)
#endif
#include <rapidjson/document.h>
#ifdef __clang__
#pragma clang attribute pop
#pragma clang diagnostic pop
#endif

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fabric::json {

using Value = rapidjson::Value;
using Document = rapidjson::Document;

constexpr int k_max_depth = 64;

// The whole text must be one value.
Result<Document> parse(std::string_view text);
// Checks only; no tree is built.
Status validate(std::string_view text);
// The verbatim text of member `key` of the top-level object in `text` (numbers keep every digit,
// order and spelling survive). Empty when absent. `text` must have passed parse() or validate().
std::string_view raw_member(std::string_view text, std::string_view key);
// The same at a path of keys, each one object deeper; one pass over `text`. `path` is not empty.
std::string_view raw_at(std::string_view text, std::span<const std::string_view> path);

// A member of an object, or nullptr when absent or `object` is no object. Of members with the same
// name the last counts, here and in raw_member() and raw_at(), as for the readers of most
// languages: we never judge another value than the agent sees.
const Value* find(const Value& object, std::string_view key);
// nullopt when absent or of another type.
std::optional<std::string_view> get_string(const Value& object, std::string_view key);
std::optional<int64_t> get_int(const Value& object, std::string_view key);
std::optional<double> get_number(const Value& object, std::string_view key);
std::optional<bool> get_bool(const Value& object, std::string_view key);
inline std::string_view text_of(const Value& string) {
  return {string.GetString(), string.GetStringLength()};
}
// One line, no spaces.
std::string to_text(const Value& value);

// Appends `text` as a quoted JSON string. Bytes that are not UTF-8 become U+FFFD, so that output of
// agents can never make our JSON invalid.
void append_quoted(std::string& out, std::string_view text);

// Writes JSON in order, without a tree. Commas are its own business.
class Writer {
 public:
  Writer& begin_object();
  Writer& end_object();
  Writer& begin_array();
  Writer& end_array();
  Writer& key(std::string_view name);
  Writer& string(std::string_view value);
  Writer& integer(int64_t value);
  Writer& number(double value);  // shortest form that reads back; null when not finite
  Writer& boolean(bool value);
  Writer& null();
  Writer& raw(std::string_view json);  // must be valid JSON already

  // key and value at once
  Writer& field(std::string_view name, std::string_view value) { return key(name).string(value); }
  Writer& field(std::string_view name, const char* value) { return key(name).string(value); }
  Writer& field(std::string_view name, const std::string& value) { return key(name).string(value); }
  Writer& field(std::string_view name, bool value) { return key(name).boolean(value); }
  Writer& field(std::string_view name, double value) { return key(name).number(value); }
  template <class T>
  requires std::is_integral_v<T> Writer& field(std::string_view name, T value) {
    return key(name).integer(static_cast<int64_t>(value));
  }
  // null when empty
  Writer& field_or_null(std::string_view name, std::string_view value) {
    return value.empty() ? key(name).null() : key(name).string(value);
  }

  [[nodiscard]] const std::string& text() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  void separate();
  std::string out_;
  bool need_comma_ = false;
};

}  // namespace fabric::json
