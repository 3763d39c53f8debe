// SPDX-License-Identifier: Apache-2.0
// The options that choose tasks: the same in every command that has them.
#pragma once

#include "base/result.hpp"
#include "fabric/arguments.hpp"
#include "store/store.hpp"

namespace fabric::cmd {

inline constexpr Option k_filter_agent{
    "--agent", "", "ID", "Only tasks of this agent.", Takes::value, Complete::agent};
inline constexpr Option k_filter_type{"--type", "", "TYPE", "Only tasks of this type."};
inline constexpr Option k_filter_group{"--group", "", "ID",
                                       "Only tasks of this group (an array or a DAG)."};
inline constexpr Option k_filter_metadata{
    "--metadata", "", "KEY=VALUE", "Only tasks with this metadata. All of it, when repeated.",
    Takes::values};

// Of --state, --agent, --type, --group and --metadata, as far as they were given; no limit.
Result<store::TaskFilter> task_filter(const Arguments& arguments);
// Whether any of those was given.
bool has_task_filter(const Arguments& arguments);

}  // namespace fabric::cmd
