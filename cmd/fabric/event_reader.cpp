// SPDX-License-Identifier: Apache-2.0
#include "fabric/event_reader.hpp"

#include <algorithm>

namespace fabric::cmd {
namespace {

constexpr size_t k_page = 1000;

}  // namespace

bool EventFilter::takes(const Event& event) const {
  if (!agent.empty() && event.agent != agent) return false;
  if (!task.empty() && event.task != task) return false;
  if (!group.empty() && event.group != group) return false;
  const std::string_view kind = to_string(event.kind);
  return kinds.empty() || std::any_of(kinds.begin(), kinds.end(), [&](const std::string& wanted) {
           return kind == wanted || (kind.size() > wanted.size() && kind.starts_with(wanted) &&
                                     kind[wanted.size()] == '.');
         });
}

Result<EventReader::Page> EventReader::next(const store::ReadTxn& txn) {
  Page page;
  std::vector<Event> events = TRY(txn.events(cursor_, k_page));
  if (events.empty()) {
    // All that came since may have been removed already.
    const uint64_t last = TRY(txn.last_event());
    if (last > cursor_) page.gap = EventGap{cursor_ + 1, last};
    cursor_ = std::max(cursor_, last);
    return page;
  }
  // Positions grow by one: what is missing was removed.
  if (events.front().sequence != cursor_ + 1)
    page.gap = EventGap{cursor_ + 1, events.front().sequence - 1};
  page.more = events.size() == k_page;
  cursor_ = events.back().sequence;
  for (Event& event : events)
    if (filter_.takes(event)) page.events.push_back(std::move(event));
  return page;
}

Result<uint64_t> position_before(const store::ReadTxn& txn, WallTime when) {
  uint64_t low = std::max<uint64_t>(TRY(txn.first_event()), 1);
  uint64_t high = TRY(txn.last_event()) + 1;  // the first at or after `when` is in [low, high]
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    const std::vector<Event> at = TRY(txn.events(middle - 1, 1));
    if (!at.empty() && at[0].at < when)
      low = middle + 1;
    else
      high = middle;
  }
  return low - 1;
}

Result<std::vector<Event>> newest_events(const store::ReadTxn& txn, const EventFilter& filter,
                                         size_t count) {
  std::vector<Event> newest;  // newest first
  const uint64_t first = TRY(txn.first_event());
  uint64_t end = TRY(txn.last_event());  // everything after it has been looked at
  while (first != 0 && end >= first && newest.size() < count) {
    const uint64_t begin = end >= first + k_page ? end - k_page : first - 1;
    std::vector<Event> page = TRY(txn.events(begin, static_cast<size_t>(end - begin)));
    for (auto event = page.rbegin(); event != page.rend() && newest.size() < count; ++event)
      if (filter.takes(*event)) newest.push_back(std::move(*event));
    end = begin;
  }
  std::reverse(newest.begin(), newest.end());
  return newest;
}

}  // namespace fabric::cmd
