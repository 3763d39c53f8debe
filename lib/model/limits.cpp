// SPDX-License-Identifier: Apache-2.0
#include "model/limits.hpp"

#include <charconv>
#include <cmath>

#include "base/size.hpp"

namespace fabric {

std::string_view to_string(IsolationLevel level) {
  switch (level) {
    case IsolationLevel::none:
      return "none";
    case IsolationLevel::process:
      return "process";
    case IsolationLevel::container:
      return "container";
  }
  return "process";
}

Result<IsolationLevel> parse_isolation_level(std::string_view text) {
  for (auto level : {IsolationLevel::none, IsolationLevel::process, IsolationLevel::container})
    if (text == to_string(level)) return level;
  return fail(ErrorCode::usage, "unknown isolation level '" + std::string(text.substr(0, 40)) + "'",
              "use none, process or container");
}

Result<uint64_t> parse_memory_limit(std::string_view text) {
  if (text == "none") return uint64_t{0};
  return parse_size(text);
}

Result<uint32_t> parse_pids_limit(std::string_view text) {
  if (text == "none") return 0U;
  uint32_t pids = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pids);
  if (error != std::errc{} || end != text.data() + text.size() || pids == 0 || pids > 4194304)
    return fail(ErrorCode::usage,
                "invalid number of processes '" + std::string(text.substr(0, 40)) + "'",
                "write a number from 1 to 4194304, or none");
  return pids;
}

Result<uint32_t> parse_cpu_cores(std::string_view text) {
  if (text == "none") return 0U;
  double cores = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), cores, std::chars_format::fixed);
  if (error != std::errc{} || end != text.data() + text.size() || !(cores >= 0.01) ||
      !(cores <= 4096))
    return fail(ErrorCode::usage,
                "invalid number of cores '" + std::string(text.substr(0, 40)) + "'",
                "write for example 1.0 or 0.25 (at least 0.01), or none");
  return static_cast<uint32_t>(std::lround(cores * 1000));
}

std::string cpu_cores_to_string(uint32_t millicores) {
  if (millicores == 0) return "none";
  std::string out = std::to_string(millicores / 1000);
  if (millicores % 1000 == 0) return out;
  out += "." + std::to_string(1000 + millicores % 1000).substr(1);
  while (out.ends_with('0')) out.pop_back();
  return out;
}

}  // namespace fabric
