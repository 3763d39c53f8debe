// SPDX-License-Identifier: Apache-2.0
// What an image says of how its programs are to be run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fabric {

struct ImageConfig {
  std::vector<std::string> env;  // NAME=VALUE
  std::string working_dir;       // absolute, or ""
  std::string user;              // "", "USER" or "USER:GROUP", names or numbers
  std::vector<std::string> entrypoint, command;
  bool operator==(const ImageConfig&) const = default;
};

// The "config" of an OCI image configuration, or of docker's, which is the same. Hostile.
Result<ImageConfig> parse_image_config(std::string_view json);
// As fabric keeps it beside an unpacked image; parse_image_config() reads that, too.
std::string to_json(const ImageConfig& config);

}  // namespace fabric
