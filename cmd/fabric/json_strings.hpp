// SPDX-License-Identifier: Apache-2.0
// String values within JSON text, as they are written there: what placeholders and references are
// replaced in. Everything else of the text stays verbatim.
#pragma once

#include <functional>
#include <string_view>

namespace fabric::cmd {

// Calls `visit` with the offset and the length of what is between the quotes of each string that is
// a value (no key of an object), in order. `json` must be valid.
void for_each_string_value(std::string_view json,
                           const std::function<void(size_t at, size_t length)>& visit);

}  // namespace fabric::cmd
