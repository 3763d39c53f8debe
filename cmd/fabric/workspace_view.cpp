// SPDX-License-Identifier: Apache-2.0
#include "fabric/workspace_view.hpp"

#include <algorithm>

#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

// Counting goes through all of them: not for a status that is to answer at once.
constexpr uint64_t k_most_counted = 50000;

}  // namespace

Result<StatusView> workspace_view(const config::Workspace& workspace, const store::ReadTxn& txn,
                                  const LiveUsageList& usage) {
  StatusView view;
  view.workspace = workspace.root;
  view.supervisor = TRY(supervisor_status(workspace, txn));
  view.agents = TRY(all_agents(txn, usage));
  view.queue = TRY(txn.counts());
  if (view.queue.pending <= k_most_counted) {
    view.ready.emplace();
    for (const store::LaneBacklog& lane : TRY(txn.ready_lanes()))
      (*view.ready)[static_cast<size_t>(lane.lane.level)] += lane.ready;
  }
  view.pauses = TRY(txn.pauses());
  view.recurring = TRY(txn.list_recurring()).size();
  view.dead = TRY(txn.dead_tasks()).size();
  return view;
}

std::string ready_in_words(const StatusView& view) {
  std::vector<std::string> parts;
  uint64_t held_back = view.queue.pending;
  for (int i = 0; i < k_priority_levels; ++i) {
    const uint64_t n = (*view.ready)[static_cast<size_t>(i)];
    held_back -= std::min(held_back, n);
    if (n > 0)
      parts.push_back(std::to_string(n) + " " + std::string(to_string(static_cast<Priority>(i))));
  }
  std::string text = parts.empty() ? "none" : join(parts, ", ");
  if (held_back > 0)
    text += "; " + std::to_string(held_back) + (held_back == 1 ? " waits" : " wait") +
            " for other tasks, for a time or for a key";
  return text;
}

std::string pause_in_words(const Pause& pause, WallTime now) {
  return describe(pause) + " since " + human(pause.since, now) +
         (pause.user.empty() ? "" : " by " + pause.user);
}

}  // namespace fabric::cmd
