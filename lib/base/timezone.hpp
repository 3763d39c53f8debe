// SPDX-License-Identifier: Apache-2.0
// Time zones by their IANA names, from the system's tzdata: what a clock on the wall shows at a
// moment, and which moments a clock on the wall means. Only /usr/share/zoneinfo, /etc/localtime and
// TZ are read, each time that a zone is loaded; a TimeZone itself never changes. Copies are cheap,
// and any thread may use one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/civil_time.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"

namespace fabric {

// The moments at which a local clock shows a given time.
struct LocalTimes {
  enum class Kind : uint8_t {
    unique,
    skipped,   // none: the clock was put forward across it. Both members are the moment it was
    repeated,  // the clock was put back: `first` is the earlier moment, `second` the later
  };
  Kind kind = Kind::unique;
  WallTime first, second;  // the same when unique
};

class TimeZone {
 public:
  // "Europe/Berlin". A usage error names the nearest zones there are.
  static Result<TimeZone> load(const std::string& name);
  static TimeZone utc();
  // Of the user: TZ (a name, an absolute path or a POSIX rule), else /etc/localtime, else UTC.
  static Result<TimeZone> local();
  // From the content of a TZif file or a POSIX rule ("CET-1CEST,M3.5.0,M10.5.0/3").
  static Result<TimeZone> from_file_content(std::string name, std::string_view bytes);
  static Result<TimeZone> from_rule(const std::string& rule);

  // As it was asked for; of local() the IANA name where it can be told, else "localtime".
  [[nodiscard]] const std::string& name() const;
  [[nodiscard]] int32_t offset_at(WallTime t) const;   // seconds east of Greenwich
  [[nodiscard]] CivilTime to_local(WallTime t) const;  // microseconds are cut off
  // Weekday and offset are not looked at. Members beyond their ends carry, so `day + 1` and
  // `hour = 24` are the next day, and month 13 is January. Years are -200000 to 200000.
  [[nodiscard]] LocalTimes from_local(const CivilTime& local) const;
  // The first moment after `t` at which the offset changes; nullopt: it never does again.
  [[nodiscard]] std::optional<WallTime> next_change(WallTime t) const;

 private:
  struct Zone;
  explicit TimeZone(std::shared_ptr<const Zone> zone) : zone_(std::move(zone)) {}
  std::shared_ptr<const Zone> zone_;
};

// The names that somebody may have meant, at most three: another case, the last part of a name
// ("Berlin"), a slip of the pen.
std::vector<std::string> nearest_time_zones(std::string_view typed);

}  // namespace fabric
