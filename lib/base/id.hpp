// SPDX-License-Identifier: Apache-2.0
// Identifiers: the grammar of ids that people give, and UUIDv7 for those that we make.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace fabric {

constexpr size_t k_max_id_length = 64;

// 1 to 64 of [A-Za-z0-9._-], not starting with a dot or a dash. `what` ("agent id") is for the
// message. An id that passes is safe as a file name.
Status check_id(std::string_view id, std::string_view what);
[[nodiscard]] bool is_valid_id(std::string_view id);

// RFC 9562 UUIDv7, lower case with dashes: sorts by time of making; monotonic within a process
// (a counter fills the low bits of one millisecond). Thread-safe.
std::string make_uuid7(const Clock& clock = system_clock());
// An id that follows from a text of any form: the same text, the same id.
std::string id_of_key(std::string_view key);
// 16 lower-case hex digits of randomness (span ids), 32 (trace ids).
std::string random_hex(size_t bytes);

}  // namespace fabric
