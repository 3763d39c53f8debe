// SPDX-License-Identifier: Apache-2.0
// Reads an `attach` message and the descriptors that came with it.
#pragma once

#include <string>
#include <vector>

#include "base/json.hpp"
#include "egress/sandbox.hpp"

namespace fabric::egress {

Result<Attachment> read_attachment(const json::Value& message, std::vector<Fd> fds);
std::vector<std::string> read_texts(const json::Value& message, std::string_view key);

}  // namespace fabric::egress
