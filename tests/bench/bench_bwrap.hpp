// SPDX-License-Identifier: Apache-2.0
// bubblewrap, told to do what a sandbox of level process does, as far as it can: no limits, no
// Landlock, no pid 1 that supervises.
#pragma once

#include <string>
#include <vector>

namespace fabric::bench {

// The descriptor from which bwrap reads the filter.
constexpr int k_filter_fd = 9;
// Writes the built-in system call filter, with EPERM as every refusal, into a file of `directory`.
std::string write_filter(const std::string& directory);
// The same directories of the host, files of /etc, sizes, masks over /proc, ids, capabilities and
// system calls as in ours.
std::vector<std::string> bwrap_alike(const std::string& work,
                                     const std::vector<std::string>& command);

}  // namespace fabric::bench
