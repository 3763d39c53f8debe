// SPDX-License-Identifier: Apache-2.0
// The directory of a store, opened with care: it may have come with a cloned repository. No
// symbolic links, no file system that is shared between machines, nobody else may write there.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric::store {

constexpr const char* k_data_file = "data.mdb";
constexpr const char* k_lock_file = "lock.mdb";
constexpr const char* k_bell_file = "bell";

// Makes it (0700) when `create` and it is missing; its parent must exist.
Result<Fd> open_store_directory(const std::string& path, bool create);
// The name of a network file system by its f_type (statfs(2)), nullptr for others.
const char* network_file_system(long type);

// A regular file with one name, or nullopt when there is none.
Result<std::optional<struct stat>> stat_plain_file(const Fd& directory, const std::string& name);
Status sync_directory(const Fd& directory);
// Where LMDB finds an open directory, whatever happens to its path meanwhile.
std::string path_of(const Fd& directory);

}  // namespace fabric::store
