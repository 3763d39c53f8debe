// SPDX-License-Identifier: Apache-2.0
// From nodes of a TOML file to values of ours, with a complaint for each that does not fit.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "config/settings.hpp"
#include "config/toml_tree.hpp"
#include "model/agent.hpp"

namespace fabric::config {

// What is wrong in one file, where.
class Complaints {
 public:
  struct Complaint {
    Position at;
    std::string message;
    std::string hint;
  };
  void add(Position at, std::string message, std::string hint = {}) {
    list_.push_back({at, std::move(message), std::move(hint)});
  }
  [[nodiscard]] const std::vector<Complaint>& list() const { return list_; }
  [[nodiscard]] size_t size() const { return list_.size(); }

 private:
  std::vector<Complaint> list_;
};

// Longest duration that a setting takes: sums with it cannot overflow.
constexpr Duration k_longest = Duration::seconds(int64_t{366} * 86400);
constexpr uint64_t k_most_memory_mb = uint64_t{1} << 30;  // 1 PiB
constexpr size_t k_max_text = 32768;                      // bytes of one string value
constexpr uint32_t k_most_concurrent_tasks = 1024;        // of one agent
constexpr uint32_t k_most_tasks = 1000000000;  // that any limit or number to keep can say

// Text within quotes, control characters escaped, shortened: for messages and for values as TOML.
std::string quoted(std::string_view text, size_t longest = 60);
// Messages quote what files say: nothing of that may drive a terminal.
std::string printable(std::string_view text);
// Members of `env` and `labels` are checked alike in files and on the command line.
Status check_env(const std::string& name, const std::string& value);
Status check_label(const std::string& name, const std::string& value);
Status check_plain_text(std::string_view what, const std::string& text);

// Each leaves `out` alone after a complaint.
void read_text(const Node& node, std::string& out, Complaints& complaints);
void read_id(const Node& node, std::string& out, Complaints& complaints);
void read_id_or_empty(const Node& node, std::string& out, Complaints& complaints);
void read_list(const Node& node, std::vector<std::string>& out, Complaints& complaints);
void read_command(const Node& node, std::vector<std::string>& out, Complaints& complaints);
void read_duration(const Node& node, Duration& out, Complaints& complaints);
void read_seconds(const Node& node, Duration& out,
                  Complaints& complaints);  // 0 or "none": no limit
void read_absolute_path(const Node& node, std::string& out, Complaints& complaints);  // or empty
void read_age(const Node& node, Duration& out, Complaints& complaints);  // 0 or "none": no limit
void read_size(const Node& node, uint64_t& out, Complaints& complaints);
void read_size_limit(const Node& node, uint64_t& out, Complaints& complaints);  // likewise
void read_count(const Node& node, uint32_t& out, uint32_t least, uint32_t most,
                Complaints& complaints);
void read_limit(const Node& node, uint64_t& out, uint64_t most, Complaints& complaints);
void read_cores(const Node& node, uint32_t& out, Complaints& complaints);
void read_kind(const Node& node, AgentKind& out, Complaints& complaints);
void read_level(const Node& node, IsolationLevel& out, Complaints& complaints);
void read_bool(const Node& node, bool& out, Complaints& complaints);
// Replaces the list of `options` that has this key (model/sandbox_options.hpp).
void read_rules(const Node& node, SandboxOptions& options, std::string_view key,
                Complaints& complaints);
// Merges by key into `out`.
void read_map(const Node& node, Metadata& out,
              Status (*check)(const std::string& name, const std::string& value),
              Complaints& complaints);
struct Range {
  uint32_t least, most;
};
// Merges by key into `out`. The names are ids; `what` ("pool") is for messages.
void read_numbers(const Node& node, NumberMap& out, std::string_view what, Range range,
                  Complaints& complaints);

// Sets or appends one member.
template <class Value>
void put(std::vector<std::pair<std::string, Value>>& map, const std::string& name,
         const Value& value) {
  for (auto& member : map)
    if (member.first == name) {
      member.second = value;
      return;
    }
  map.emplace_back(name, value);
}

}  // namespace fabric::config
