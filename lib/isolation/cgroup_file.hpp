// SPDX-License-Identifier: Apache-2.0
// Reading and writing the small files of a cgroup directory, relative to its descriptor.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric {

// Paths are relative: "agent/cpu.max". Errors name them.
Status write_control(const Fd& directory, const std::string& path, std::string_view text);
Result<std::string> read_control(const Fd& directory, const std::string& path);
Result<uint64_t> read_number(const Fd& directory, const std::string& path);
// Of the number in the line "key number"; 0 when there is no such line.
uint64_t flat_field(std::string_view text, std::string_view key);

Status make_group(const Fd& directory, const std::string& path);
Result<Fd> open_group(const Fd& directory, const std::string& path);
// Names of the groups directly in `path` ("." for the directory itself); empty when it is not
// there.
std::vector<std::string> child_groups(const Fd& directory, const std::string& path);

}  // namespace fabric
