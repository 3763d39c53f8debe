// SPDX-License-Identifier: Apache-2.0
// What the sandboxes use now, as the supervisor tells it to commands (call `usage` of the control
// protocol). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/json.hpp"

namespace fabric {

// One attempt, or one worker with all of its tasks.
struct LiveAttempt {
  std::vector<std::string> tasks;
  uint32_t slot = 0;
  WallTime started_at;
  uint64_t memory_bytes = 0;
  std::optional<uint64_t> memory_peak_bytes;
  double cpu_seconds = 0, cpu_throttled_seconds = 0;
  uint64_t processes = 0, pids_refused = 0;
  uint64_t io_read_bytes = 0, io_written_bytes = 0;
};

// What went through the egress process, by the host it went to, since the supervisor runs.
struct LiveHost {
  std::string host;
  uint64_t in_bytes = 0, out_bytes = 0, connections = 0;
};

struct LiveUsage {
  uint64_t memory_bytes = 0, memory_peak_bytes = 0, oom_kills = 0;
  double cpu_seconds = 0, cpu_throttled_seconds = 0;
  uint64_t pids = 0, pids_refused = 0;
  uint64_t io_read_bytes = 0, io_written_bytes = 0;
  std::optional<uint64_t> net_received_bytes, net_sent_bytes;  // of a network of its own
  std::optional<uint64_t> disk_bytes;  // of its work directory, where that is measured
  WallTime heartbeat_at;               // of a worker: when it last said anything
  std::vector<LiveAttempt> attempts;
  std::vector<LiveHost> hosts;
};
// By agent id.
using LiveUsageList = std::vector<std::pair<std::string, LiveUsage>>;

void write_live_usage(json::Writer& w, const LiveUsage& usage);
// What is missing is 0: a supervisor of an older version tells less.
LiveUsageList decode_live_usage(const json::Value& result);

}  // namespace fabric
