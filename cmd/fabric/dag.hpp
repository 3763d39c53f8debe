// SPDX-License-Identifier: Apache-2.0
// Tasks with dependencies among themselves, by local names. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "fabric/dag_file.hpp"

namespace fabric::cmd {

// Task lines, in the order of the file. A task has the fields of a task line and `name`, which is
// local to the file: its id is GROUP.NAME, unless it has `id` or `idempotency_key` (then its name
// is by default the id); without any of these the name is its number, from 1. depends_on and
// references in payloads ({tasks.NAME.result...}) take local names, and become ids. Every error
// names its place in `path`; a cycle is shown in local names.
Result<std::vector<std::string>> dag_lines(const std::string& path,
                                           const std::vector<DagEntry>& entries,
                                           const std::string& group);

}  // namespace fabric::cmd
