// SPDX-License-Identifier: Apache-2.0
// How our JSON writes what occurs in several answers: what is not known or does not apply is null.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "model/agent.hpp"
#include "model/task.hpp"

namespace fabric::cmd {

using json::Writer;

inline void write_time(Writer& w, WallTime t) { t.set() ? w.string(to_rfc3339(t)) : w.null(); }

inline void write_text(Writer& w, std::string_view text) {
  text.empty() ? w.null() : w.string(text);
}

inline void write_number(Writer& w, std::optional<int> number) {
  number ? w.integer(*number) : w.null();
}

inline void write_count(Writer& w, uint64_t n) { w.integer(static_cast<int64_t>(n)); }

inline void write_maybe(Writer& w, std::optional<uint64_t> n) {
  n ? w.integer(static_cast<int64_t>(*n)) : w.null();
}

// 0 stands for "none" in durations and limits.
inline void write_seconds(Writer& w, Duration d) {
  d.ns == 0 ? w.null() : w.number(d.to_seconds());
}
inline void write_limit(Writer& w, uint64_t n) {
  n == 0 ? w.null() : w.integer(static_cast<int64_t>(n));
}

inline void write_list(Writer& w, const std::vector<std::string>& items) {
  w.begin_array();
  for (const std::string& item : items) w.string(item);
  w.end_array();
}

inline void write_pairs(Writer& w, const Metadata& pairs) {
  w.begin_object();
  for (const auto& [key, value] : pairs) w.field(key, value);
  w.end_object();
}

inline void write_counts(Writer& w, const TaskCounts& counts) {
  w.begin_object();
  for (int i = 0; i < k_task_states; ++i) {
    const auto state = static_cast<TaskState>(i);
    w.field(to_string(state), counts.of(state));
  }
  w.end_object();
}

inline void write_usage(Writer& w, const Usage& usage) {
  w.begin_object()
      .field("requests", usage.requests)
      .field("input_tokens", usage.input_tokens)
      .field("output_tokens", usage.output_tokens)
      .field("cost_microusd", usage.cost_microusd)
      .end_object();
}

inline void write_limits(Writer& w, const Limits& limits) {
  w.begin_object().key("memory_bytes");
  write_limit(w, limits.memory_bytes);
  w.key("cpu_cores");
  limits.cpu_millicores == 0 ? w.null() : w.number(limits.cpu_millicores / 1000.0);
  const std::pair<std::string_view, uint64_t> others[] = {
      {"pids", limits.pids},
      {"nofile", limits.nofile},
      {"file_size_bytes", limits.file_size_bytes},
      {"disk_bytes", limits.disk_bytes},
      {"tmp_bytes", limits.tmp_bytes},
      {"shm_bytes", limits.shm_bytes},
      {"output_rate", limits.output_rate},
      {"egress_rate", limits.egress_rate},
      {"io_weight", limits.io_weight}};
  for (const auto& [name, limit] : others) {
    w.key(name);
    write_limit(w, limit);
  }
  w.end_object();
}

}  // namespace fabric::cmd
