// SPDX-License-Identifier: Apache-2.0
// The header of a value: format version (1 byte), checksum (4 bytes, little-endian), body. The
// checksum covers table, key and version too, so a value in another's place is found out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "store/tables.hpp"

namespace fabric::store {

constexpr uint8_t k_value_version = 1;
constexpr size_t k_value_header = 5;

// Fills in the header before the body that is already at value + k_value_header.
void seal_value(Table table, std::string_view key, uint8_t* value, size_t size);
std::string make_value(Table table, std::string_view key, std::string_view body);
// The body, or an error that names table and key.
Result<std::string_view> open_value(Table table, std::string_view key, std::string_view value);

// "tasks 17", "agents 'coder'": for messages.
std::string describe_key(Table table, std::string_view key);
tl::unexpected<Error> fail_damaged(Table table, std::string_view key, const std::string& why);

}  // namespace fabric::store
