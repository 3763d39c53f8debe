// SPDX-License-Identifier: Apache-2.0
// Recurring times as anybody may write them. The first line names a zone or is a POSIX rule, the
// rest is the expression. What is accepted reads back the same, and comes, later each time.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "scheduler/cron.hpp"

using namespace fabric;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

TimeZone zone_of(const std::string& name) {
  if (Result<TimeZone> rule = TimeZone::from_rule(name)) return *rule;
  // A file is read for a plain name alone: a fuzzer that searches them all would be slow.
  if (name == "Europe/Berlin" || name == "Australia/Lord_Howe" || name == "Pacific/Apia")
    return TimeZone::load(name).value_or(TimeZone::utc());
  return TimeZone::utc();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t end = text.find('\n');
  const TimeZone zone = zone_of(std::string(text.substr(0, end)));
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  const Result<CronExpression> expression = CronExpression::parse(text);
  if (!expression) {
    require(expression.error().code == ErrorCode::usage && !expression.error().message.empty() &&
            !expression.error().hint.empty());
    return 0;
  }
  const Result<CronExpression> again = CronExpression::parse(expression->to_string());
  require(again && *again == *expression && again->to_string() == expression->to_string());
  WallTime t{1774656000000000};  // 2026-03-28, a day before Berlin's clocks change
  for (int i = 0; i < 50; ++i) {
    const std::optional<WallTime> due = expression->next(t, zone);
    require(due && *due > t);
    t = *due;
  }
  return 0;
}
