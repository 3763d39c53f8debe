// SPDX-License-Identifier: Apache-2.0
#include "base/process.hpp"

#include <charconv>

#include "base/fd.hpp"

namespace fabric {

Result<uint64_t> process_start_time(pid_t pid) {
  Result<std::string> stat = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  if (!stat) return fail(ErrorCode::not_found, "no process " + std::to_string(pid));
  // The name (field 2) may hold spaces and brackets: count from its last bracket.
  size_t at = stat->rfind(')');
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat->find(' ', at + 1);
  uint64_t ticks = 0;
  if (at != std::string::npos)
    std::from_chars(stat->data() + at + 1, stat->data() + stat->size(), ticks);
  if (ticks == 0)
    return fail(ErrorCode::failed, "unreadable /proc/" + std::to_string(pid) + "/stat");
  return ticks;
}

Result<std::string> boot_id() {
  std::string id = TRY(read_file("/proc/sys/kernel/random/boot_id", 128));
  while (!id.empty() && (id.back() == '\n' || id.back() == ' ')) id.pop_back();
  return id;
}

}  // namespace fabric
