// SPDX-License-Identifier: Apache-2.0
#include "supervisor/live_usage.hpp"

namespace fabric {
namespace {

uint64_t count_in(const json::Value& object, std::string_view key) {
  const int64_t value = json::get_int(object, key).value_or(0);
  return value > 0 ? static_cast<uint64_t>(value) : 0;
}

std::optional<uint64_t> maybe(const json::Value& object, std::string_view key) {
  if (!json::get_int(object, key)) return std::nullopt;
  return count_in(object, key);
}

void put(json::Writer& w, std::string_view key, const std::optional<uint64_t>& value) {
  if (value) w.field(key, *value);
}

// What an agent and an attempt both have.
template <class Use>
void write_common(json::Writer& w, const Use& use) {
  w.field("memory_bytes", use.memory_bytes).field("cpu_seconds", use.cpu_seconds);
  w.field("cpu_throttled_seconds", use.cpu_throttled_seconds);
  w.field("pids_refused", use.pids_refused).field("io_read_bytes", use.io_read_bytes);
  w.field("io_written_bytes", use.io_written_bytes);
}

template <class Use>
void read_common(const json::Value& object, Use& use) {
  use.memory_bytes = count_in(object, "memory_bytes");
  use.cpu_seconds = json::get_number(object, "cpu_seconds").value_or(0);
  use.cpu_throttled_seconds = json::get_number(object, "cpu_throttled_seconds").value_or(0);
  use.pids_refused = count_in(object, "pids_refused");
  use.io_read_bytes = count_in(object, "io_read_bytes");
  use.io_written_bytes = count_in(object, "io_written_bytes");
}

void write(json::Writer& w, const LiveAttempt& attempt) {
  w.begin_object();
  write_common(w, attempt);
  w.field("slot", uint64_t{attempt.slot}).field("started_at_us", attempt.started_at.us);
  w.field("processes", attempt.processes);
  put(w, "memory_peak_bytes", attempt.memory_peak_bytes);
  w.key("tasks").begin_array();
  for (const std::string& task : attempt.tasks) w.string(task);
  w.end_array().end_object();
}

LiveAttempt read_attempt(const json::Value& object) {
  LiveAttempt attempt;
  read_common(object, attempt);
  attempt.slot = static_cast<uint32_t>(count_in(object, "slot"));
  attempt.started_at.us = json::get_int(object, "started_at_us").value_or(0);
  attempt.processes = count_in(object, "processes");
  attempt.memory_peak_bytes = maybe(object, "memory_peak_bytes");
  if (const json::Value* tasks = json::find(object, "tasks"); tasks && tasks->IsArray())
    for (const json::Value& task : tasks->GetArray())
      if (task.IsString()) attempt.tasks.emplace_back(json::text_of(task));
  return attempt;
}

}  // namespace

void write_live_usage(json::Writer& w, const LiveUsage& usage) {
  w.begin_object();
  write_common(w, usage);
  w.field("memory_peak_bytes", usage.memory_peak_bytes).field("oom_kills", usage.oom_kills);
  w.field("pids", usage.pids);
  put(w, "net_received_bytes", usage.net_received_bytes);
  put(w, "net_sent_bytes", usage.net_sent_bytes);
  put(w, "disk_bytes", usage.disk_bytes);
  w.field("heartbeat_at_us", usage.heartbeat_at.us).key("attempts").begin_array();
  for (const LiveAttempt& attempt : usage.attempts) write(w, attempt);
  w.end_array().key("net_hosts").begin_array();
  for (const LiveHost& host : usage.hosts) {
    w.begin_object().field("host", host.host).field("in_bytes", host.in_bytes);
    w.field("out_bytes", host.out_bytes).field("connections", host.connections).end_object();
  }
  w.end_array().end_object();
}

LiveUsageList decode_live_usage(const json::Value& result) {
  LiveUsageList agents;
  if (!result.IsObject()) return agents;
  for (const auto& member : result.GetObject()) {
    if (!member.value.IsObject()) continue;
    LiveUsage usage;
    read_common(member.value, usage);
    usage.memory_peak_bytes = count_in(member.value, "memory_peak_bytes");
    usage.oom_kills = count_in(member.value, "oom_kills");
    usage.pids = count_in(member.value, "pids");
    usage.net_received_bytes = maybe(member.value, "net_received_bytes");
    usage.net_sent_bytes = maybe(member.value, "net_sent_bytes");
    usage.disk_bytes = maybe(member.value, "disk_bytes");
    usage.heartbeat_at.us = json::get_int(member.value, "heartbeat_at_us").value_or(0);
    if (const json::Value* attempts = json::find(member.value, "attempts");
        attempts && attempts->IsArray())
      for (const json::Value& attempt : attempts->GetArray())
        if (attempt.IsObject()) usage.attempts.push_back(read_attempt(attempt));
    if (const json::Value* hosts = json::find(member.value, "net_hosts"); hosts && hosts->IsArray())
      for (const json::Value& host : hosts->GetArray())
        if (host.IsObject())
          usage.hosts.push_back({std::string(json::get_string(host, "host").value_or("")),
                                 count_in(host, "in_bytes"), count_in(host, "out_bytes"),
                                 count_in(host, "connections")});
    agents.emplace_back(std::string(json::text_of(member.name)), std::move(usage));
  }
  return agents;
}

}  // namespace fabric
