// SPDX-License-Identifier: Apache-2.0
// The table of settings as text.
#pragma once

#include <string>

namespace fabric::config {

// The fabric.toml that `init` writes: every key with its meaning and default, commented out.
std::string default_settings_file();
// Tables of docs/configuration.md (a unit test keeps the two in step) and of the manual.
std::string settings_markdown();

}  // namespace fabric::config
