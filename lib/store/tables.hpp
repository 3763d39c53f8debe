// SPDX-License-Identifier: Apache-2.0
// The tables and their keys. Numbers in keys are big-endian, so that byte order is number order.
#pragma once

#include <lmdb.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace fabric::store {

enum class Table : uint8_t {
  meta,      // word -> Schema, Sequences, Supervisor
  tasks,     // sequence -> Task
  task_ids,  // task id -> sequence
  payloads,  // sequence -> payload, where it is longer than k_inline_payload
  results,   // sequence -> TaskResult
  queue,     // agent number, level, sequence: pending tasks; level k_level_waiting has dependencies
  running,   // agent number, sequence
  finished,  // finished_at, sequence
  edges,     // dependency, dependent
  agents,    // agent id -> Agent
  counts,    // agent number -> Counts; 0 is the workspace
};
constexpr size_t k_tables = 11;
constexpr std::array<const char*, k_tables> k_table_names{
    "meta",    "tasks",    "task_ids", "payloads", "results", "queue",
    "running", "finished", "edges",    "agents",   "counts"};

constexpr uint8_t k_level_waiting = 4;
constexpr size_t k_inline_payload =
    1024;  // longer ones are not rewritten with every change of state
constexpr std::string_view k_meta_schema = "schema";
constexpr std::string_view k_meta_sequences = "sequences";
constexpr std::string_view k_meta_supervisor = "supervisor";

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
  std::array<uint8_t, 16> bytes_{};
  size_t size_ = 0;
};

inline Key task_key(uint64_t sequence) { return Key().u64(sequence); }
inline Key queue_key(uint32_t agent, uint8_t level, uint64_t sequence) {
  return Key().u32(agent).u8(level).u64(sequence);
}
inline Key running_key(uint32_t agent, uint64_t sequence) { return Key().u32(agent).u64(sequence); }
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
