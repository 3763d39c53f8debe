// SPDX-License-Identifier: Apache-2.0
// The tables and their keys. Numbers in keys are big-endian, so that byte order is number order.
#pragma once

#include <lmdb.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "model/lane.hpp"

namespace fabric::store {

// Numbers are for ever: a value's checksum covers that of its table.
enum class Table : uint8_t {
  meta = 0,         // word -> Schema, Sequences, Supervisor, Pauses
  tasks = 1,        // sequence -> Task
  task_ids = 2,     // task id -> sequence
  payloads = 3,     // sequence -> payload, where it is longer than k_inline_payload
  results = 4,      // sequence -> TaskResult
  ready = 5,        // queue, share, level, slot class, sequence: pending tasks nothing holds back
  running = 6,      // agent number, sequence
  finished = 7,     // finished_at, sequence
  edges = 8,        // dependency, dependent
  agents = 9,       // agent id -> Agent
  counts = 10,      // queue number -> Counts; 0 is the workspace
  waiting = 11,     // queue, sequence: pending tasks that something holds back
  timers = 12,      // when, sequence: tasks about which something must be decided then
  groups = 13,      // group, 0, sequence
  exclusive = 14,   // exclusive key, 0 -> sequence of the task that holds it;
                    // exclusive key, 0, level, sequence: those that wait for it
  attempts = 15,    // sequence, number, late -> Attempt
  dead = 16,        // sequence: the dead-letter list
  events = 17,      // event sequence -> Event
  names = 18,       // kind, text -> number: shares, slot classes, routes
  shares = 19,      // share number -> Share
  recurring = 20,   // id -> Recurring
  pins = 21,        // dependency, dependent: an ended task whose result is still to be read
  violations = 22,  // agent number, sequence of it -> Violation
};
constexpr size_t k_tables = 23;
constexpr std::array<const char*, k_tables> k_table_names{
    "meta",  "tasks",  "task_ids", "payloads", "results",   "ready",  "running",   "finished",
    "edges", "agents", "counts",   "waiting",  "timers",    "groups", "exclusive", "attempts",
    "dead",  "events", "names",    "shares",   "recurring", "pins",   "violations"};
constexpr const char* k_retired_queue = "queue";  // schema 1; see upgrade.cpp

constexpr size_t k_inline_payload =
    1024;  // longer ones are not rewritten with every change of state
constexpr std::string_view k_meta_schema = "schema";
constexpr std::string_view k_meta_sequences = "sequences";
constexpr std::string_view k_meta_supervisor = "supervisor";
constexpr std::string_view k_meta_pauses = "pauses";

// A key made of numbers, in place.
class Key {
 public:
  Key& u8(uint8_t n) {
    bytes_[size_++] = n;
    return *this;
  }
  Key& u32(uint32_t n) {
    for (int shift = 24; shift >= 0; shift -= 8) u8(static_cast<uint8_t>(n >> shift));
    return *this;
  }
  Key& u64(uint64_t n) { return u32(static_cast<uint32_t>(n >> 32)).u32(static_cast<uint32_t>(n)); }
  // NOLINTNEXTLINE(google-explicit-constructor): a key is its bytes
  operator std::string_view() const {
    return {reinterpret_cast<const char*>(bytes_.data()), size_};
  }

 private:
  std::array<uint8_t, 24> bytes_{};
  size_t size_ = 0;
};

inline Key task_key(uint64_t sequence) { return Key().u64(sequence); }
inline Key lane_key(const Lane& lane) {
  return Key()
      .u32(lane.queue)
      .u32(lane.share)
      .u8(static_cast<uint8_t>(lane.level))
      .u32(lane.slot_class);
}
constexpr size_t k_lane_key_size = 13;
inline Key ready_key(const Lane& lane, uint64_t sequence) { return lane_key(lane).u64(sequence); }
inline Key waiting_key(QueueNumber queue, uint64_t sequence) {
  return Key().u32(queue).u64(sequence);
}
inline Key timer_key(int64_t at_us, uint64_t sequence) {
  return Key().u64(static_cast<uint64_t>(at_us)).u64(sequence);
}
inline Key attempt_key(uint64_t sequence, uint32_t number, bool late) {
  return Key().u64(sequence).u32(number).u8(late ? 1 : 0);
}
// Keys that begin with a text: what follows is told apart by the 0 that no text holds.
inline std::string text_key(std::string_view text, std::string_view rest) {
  std::string key(text);
  key.push_back('\0');
  return key.append(rest);
}
inline Key running_key(uint32_t agent, uint64_t sequence) { return Key().u32(agent).u64(sequence); }
inline Key violation_key(uint32_t agent, uint64_t sequence) {
  return Key().u32(agent).u64(sequence);
}
constexpr uint64_t k_violations_per_agent = 1000;
constexpr uint64_t k_violations = 20000;
inline Key finished_key(int64_t at_us, uint64_t sequence) {
  return Key().u64(static_cast<uint64_t>(at_us)).u64(sequence);
}
inline Key edge_key(uint64_t dependency, uint64_t dependent) {
  return Key().u64(dependency).u64(dependent);
}
inline Key counts_key(uint32_t agent) { return Key().u32(agent); }

// The number in `size` bytes at `offset` of a key; the caller has checked the length.
inline uint64_t number_at(std::string_view key, size_t offset, size_t size) {
  uint64_t n = 0;
  for (size_t i = 0; i < size; ++i) n = n << 8 | static_cast<uint8_t>(key[offset + i]);
  return n;
}

inline MDB_val to_val(std::string_view bytes) {
  return {bytes.size(), const_cast<char*>(bytes.data())};  // LMDB's C interface; it does not write
}
inline std::string_view from_val(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

}  // namespace fabric::store
