// SPDX-License-Identifier: Apache-2.0
// Time zone files and rules. Whatever they say, offsets stay in range, changes come one after the
// other, and a local time is found again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/timezone.hpp"
#include "base/tz_file.hpp"

using namespace fabric;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void walk(const TimeZone& zone, WallTime t) {
  for (int i = 0; i < 20; ++i) {
    const CivilTime local = zone.to_local(t);
    require(local.utc_offset_seconds >= k_least_utc_offset &&
            local.utc_offset_seconds <= k_greatest_utc_offset);
    const LocalTimes found = zone.from_local(local);
    require(found.kind != LocalTimes::Kind::skipped);
    require(found.first <= t && found.second >= t);
    const std::optional<WallTime> change = zone.next_change(t);
    if (!change) return;
    require(*change > t && zone.offset_at(*change) != zone.offset_at({change->us - 1}));
    t = *change;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const Result<TimeZone>& zone :
       {TimeZone::from_file_content("fuzz", bytes), TimeZone::from_rule(std::string(bytes))}) {
    if (!zone) continue;
    for (int64_t year : {1969, 2026, 2200, 9998})
      walk(*zone, {days_from_civil(year, 12, 30) * k_seconds_of_day * 1000000});
  }
  return 0;
}
