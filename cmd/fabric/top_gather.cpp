// SPDX-License-Identifier: Apache-2.0
#include "fabric/top_view.hpp"
#include "fabric/workspace_view.hpp"

namespace fabric::cmd {
namespace {

constexpr size_t k_newest = 200;        // more than any screen has lines
constexpr uint64_t k_look_back = 2000;  // events; of a flood only the end is read

}  // namespace

Status TopGatherer::look(const config::Workspace& workspace, const store::ReadTxn& txn,
                         const LiveUsageList& usage, MonoTime usage_at, WallTime now) {
  data_.now = now;
  data_.workspace = TRY(workspace_view(workspace, txn, usage));
  measure(usage, usage_at);
  return read_events(txn);
}

void TopGatherer::measure(const LiveUsageList& usage, MonoTime at) {
  if (at == usage_at_) return;
  const double seconds = (at - usage_at_).to_seconds();
  std::map<std::string, double> before;
  for (const auto& [agent, use] : usage_) before.emplace(agent, use.cpu_seconds);
  data_.cpu_percent.clear();
  for (const auto& [agent, use] : usage) {
    const auto known = before.find(agent);
    // Less than before: its sandbox is a new one.
    if (known != before.end() && use.cpu_seconds >= known->second)
      data_.cpu_percent[agent] = 100 * (use.cpu_seconds - known->second) / seconds;
  }
  usage_ = usage;
  usage_at_ = at;
}

Status TopGatherer::read_events(const store::ReadTxn& txn) {
  const uint64_t last = TRY(txn.last_event());
  if (!events_ || last > events_->cursor() + k_look_back)
    events_.emplace(last > k_look_back ? last - k_look_back : 0, EventFilter{});
  for (bool more = true; more;) {
    EventReader::Page page = TRY(events_->next(txn));
    more = page.more;
    for (Event& event : page.events) {
      if (!event.agent.empty()) data_.last_event[event.agent] = event;
      if (event.kind == EventKind::agent_removed) data_.last_event.erase(event.agent);
      data_.newest.push_back(std::move(event));
      if (data_.newest.size() > k_newest) data_.newest.pop_front();
    }
  }
  return {};
}

}  // namespace fabric::cmd
