// SPDX-License-Identifier: Apache-2.0
#include "store/value.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

namespace fabric::store {
namespace {

uint32_t checksum(Table table, std::string_view key, uint8_t version, std::string_view body) {
  const uint32_t place = static_cast<uint32_t>(table) << 8 | version;
  return XXH32(body.data(), body.size(), XXH32(key.data(), key.size(), place));
}

bool is_text_key(Table table) {
  return table == Table::meta || table == Table::task_ids || table == Table::agents ||
         table == Table::groups || table == Table::exclusive || table == Table::names ||
         table == Table::recurring;
}

}  // namespace

void seal_value(Table table, std::string_view key, uint8_t* value, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(value) + k_value_header,
                              size - k_value_header);
  const uint32_t sum = checksum(table, key, k_value_version, body);
  value[0] = k_value_version;
  for (size_t i = 0; i < 4; ++i) value[1 + i] = static_cast<uint8_t>(sum >> (8 * i));
}

std::string make_value(Table table, std::string_view key, std::string_view body) {
  std::string value(k_value_header, '\0');
  value += body;
  seal_value(table, key, reinterpret_cast<uint8_t*>(value.data()), value.size());
  return value;
}

Result<std::string_view> open_value(Table table, std::string_view key, std::string_view value) {
  if (value.size() < k_value_header) return fail_damaged(table, key, "too short");
  const auto version = static_cast<uint8_t>(value[0]);
  const std::string_view body = value.substr(k_value_header);
  uint32_t sum = 0;
  for (size_t i = 4; i > 0; --i) sum = sum << 8 | static_cast<uint8_t>(value[i]);
  if (sum != checksum(table, key, version, body)) return fail_damaged(table, key, "checksum");
  if (version != k_value_version)
    return fail(ErrorCode::unavailable,
                describe_key(table, key) + " was written by a newer fabric (value format " +
                    std::to_string(version) + ", this one knows " +
                    std::to_string(k_value_version) + ")",
                "upgrade fabric");
  return body;
}

std::string describe_key(Table table, std::string_view key) {
  std::string text = k_table_names[static_cast<size_t>(table)];
  if (is_text_key(table)) {
    text += " '";
    for (char c : key.substr(0, 64)) text += c >= ' ' && c < 127 ? c : '?';
    return text + "'";
  }
  // Numbers of the key: one digit for each, its size in bytes; eight where nothing is said.
  std::string_view sizes;
  if (table == Table::running || table == Table::counts || table == Table::waiting ||
      table == Table::shares || table == Table::violations)
    sizes = "4";
  if (table == Table::ready) sizes = "4414";
  if (table == Table::attempts) sizes = "841";
  size_t offset = 0;
  for (size_t i = 0; offset < key.size() && offset < 24; ++i) {
    const size_t wanted = i < sizes.size() ? static_cast<size_t>(sizes[i] - '0') : 8;
    const size_t size = std::min(wanted, key.size() - offset);
    text += (offset == 0 ? " " : "/") + std::to_string(number_at(key, offset, size));
    offset += size;
  }
  return text;
}

tl::unexpected<Error> fail_damaged(Table table, std::string_view key, const std::string& why) {
  return fail(ErrorCode::failed, "damaged record: " + describe_key(table, key) + ": " + why,
              "run 'fabric store check'");
}

}  // namespace fabric::store
