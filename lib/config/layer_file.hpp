// SPDX-License-Identifier: Apache-2.0
// Reading a file of a layer, as far as it can be trusted: a regular file of the caller's (or
// root's), at most 1 MiB, that nobody else can write, within the directory of its layer.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric::config {

constexpr size_t k_max_file = size_t{1} << 20;

// nullopt when it does not exist. `name` is relative to `directory`; symlinks are followed as long
// as they stay within it.
Result<std::optional<std::string>> read_layer_file(const std::string& directory,
                                                   const std::string& name);

// Can somebody other than its owner write it? A group of which the owner is the only member (the
// private groups of Debian and Ubuntu, with umask 002) counts as the owner.
bool others_can_write(const struct stat& info);
// "uid 1000 (alice)".
std::string user_name_of(uid_t uid);
// `path` as a word that a shell reads back.
std::string shell_word(const std::string& path);

}  // namespace fabric::config
