// SPDX-License-Identifier: Apache-2.0
// What an agent may use, and how strongly it is walled in. Names are those of the requirements.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fabric {

enum class IsolationLevel : uint8_t { none, process, container };

std::string_view to_string(IsolationLevel level);
Result<IsolationLevel> parse_isolation_level(std::string_view text);

// 0 means "no limit" in each field.
struct Limits {
  uint64_t memory_bytes = uint64_t{512} << 20;    // includes swap
  uint32_t cpu_millicores = 1000;                 // 1000 is one core
  uint32_t pids = 512;                            // processes and threads
  uint32_t nofile = 16384;                        // descriptors of a process; 1024 until it asks
  uint64_t file_size_bytes = uint64_t{64} << 30;  // of one file
  uint64_t disk_bytes = 0;                        // of the work directory
  uint64_t tmp_bytes = 0;                         // of /tmp; 0: half of the memory
  uint64_t shm_bytes = 0;                         // of /dev/shm; 0: half of the memory
  uint64_t output_rate = 0;  // bytes a second of each stream; a task that writes more waits
  uint64_t egress_rate = 0;  // bytes a second to and from listed hosts together; more waits
  uint32_t io_weight = 0;    // 1 to 10000, beside others that use the same disk; 0: as they
  bool operator==(const Limits&) const = default;
};

// A size (base/size.hpp), or "none".
Result<uint64_t> parse_memory_limit(std::string_view text);
// A number of processes, or "none".
Result<uint32_t> parse_pids_limit(std::string_view text);
// "1.0", "0.25", "none": cores to thousandths of a core.
Result<uint32_t> parse_cpu_cores(std::string_view text);
std::string cpu_cores_to_string(uint32_t millicores);

}  // namespace fabric
