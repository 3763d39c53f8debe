// SPDX-License-Identifier: Apache-2.0
// What agents and their tasks use now, as `stats` shows it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "fabric/output.hpp"
#include "fabric/views.hpp"

namespace fabric::cmd {

struct StatsView {
  WallTime at;
  Agent agent;
  LiveUsage usage;
};
// Those that have a living sandbox; `only`: this agent, or "" for all.
Result<std::vector<StatsView>> gather_stats(const store::ReadTxn& txn, const LiveUsageList& usage,
                                            const std::string& only, WallTime now);

JsonShape stats_shape();
std::string stats_json(const JsonChoice& choice, const StatsView& view);

// An agent a line, and under it the tasks that it runs. `before`: of an earlier look, for the share
// of a processor since then; nullptr at the first.
std::string stats_table(const std::vector<StatsView>& now, const std::vector<StatsView>* before,
                        size_t width);

}  // namespace fabric::cmd
