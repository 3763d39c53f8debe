// SPDX-License-Identifier: Apache-2.0
// What the attempts of a sandbox use while they run: the leaf of their slot, held against what the
// init wrote down of it when they began.
#include <algorithm>
#include <charconv>
#include <string>

#include "isolation/cgroup_file.hpp"
#include "isolation/sandbox_cgroup.hpp"
#include "isolation/slot_records.hpp"

namespace fabric {

namespace {

struct Io {
  uint64_t read = 0, written = 0;
};

// "key: number" of a line, 0 when it is not there.
uint64_t number_of(std::string_view text, std::string_view key) {
  const size_t at = text.find(key);
  uint64_t value = 0;
  if (at != std::string_view::npos)
    std::from_chars(text.data() + at + key.size(), text.data() + text.size(), value);
  return value;
}

// Another user's process that made itself undumpable does not tell; root reads all of them.
void add_io(pid_t pid, Io& io) {
  auto text = read_file("/proc/" + std::to_string(pid) + "/io", 4096);
  if (!text) return;
  io.read += number_of(*text, "\nread_bytes: ");
  io.written += number_of(*text, "\nwrite_bytes: ");
}

Io living_io(const Fd& unified, const std::string& leaf) {
  Io io;
  auto list = read_control(unified, leaf + "/cgroup.procs");
  if (!list) return io;
  const char* end = list->data() + list->size();
  for (const char* at = list->data(); at < end;) {
    pid_t pid = 0;
    at = std::from_chars(at, end, pid).ptr + 1;
    if (pid > 0) add_io(pid, io);
  }
  return io;
}

void read_memory(const CgroupHost& host, const std::string& group, AttemptUsage& usage) {
  if (host.mode == CgroupMode::v2) {
    const Fd& unified = host.unified.directory;
    usage.memory_bytes = read_number(unified, group + "/memory.current").value_or(0);
  } else if (host.memory) {
    const Fd& memory = host.memory.directory;
    usage.memory_bytes = read_number(memory, group + "/memory.usage_in_bytes").value_or(0);
    auto peak = read_number(memory, group + "/memory.max_usage_in_bytes");
    if (peak) usage.memory_peak_bytes = *peak;
  }
}

uint64_t since(uint64_t now, uint64_t before) { return now > before ? now - before : 0; }

AttemptUsage read_slot(const CgroupHost& host, const std::string& sandbox, uint32_t slot,
                       const wire::SlotRecord& record, const ResourceUsage& whole) {
  AttemptUsage usage;
  usage.attempt = record.attempt;
  usage.slot = slot;
  usage.started_at = WallTime{record.started_at_us};
  const auto all_throttled = static_cast<uint64_t>(whole.cpu_throttled.ns);
  usage.cpu_throttled =
      Duration::nanoseconds(static_cast<int64_t>(since(all_throttled, record.throttled_before_ns)));
  usage.pids_refused = since(whole.pids_refused, record.refused_before);
  const std::string name = "/slot" + std::to_string(slot);
  const bool v2 = host.mode == CgroupMode::v2;
  const std::string group = sandbox + (v2 ? "/work" : "") + name;
  read_memory(host, group, usage);
  if (!host.unified) return usage;
  const Fd& unified = host.unified.directory;
  if (auto text = read_control(unified, group + "/cpu.stat"))
    usage.cpu = Duration::micros(
        static_cast<int64_t>(since(flat_field(*text, "usage_usec"), record.cpu_before_us)));
  if (auto text = read_control(unified, group + "/cgroup.threads"))
    usage.processes = static_cast<uint32_t>(std::count(text->begin(), text->end(), '\n'));
  const Io io = living_io(unified, group);
  usage.io_read_bytes = io.read;
  usage.io_written_bytes = io.written;
  return usage;
}

}  // namespace

void read_attempts(const CgroupHost& host, const SandboxIdentity& identity, ResourceUsage& usage) {
  const auto before = read_slot_records(identity.exit_journal);
  std::vector<AttemptUsage> attempts;
  for (uint32_t slot = 0; slot < before.size(); ++slot) {
    usage.io_read_bytes += before[slot].io_read;
    usage.io_written_bytes += before[slot].io_written;
    if (before[slot].attempt != 0)
      attempts.push_back(read_slot(host, identity.cgroup, slot, before[slot], usage));
  }
  // One that ended meanwhile, and whose slot perhaps serves another already, is left out.
  const auto after = attempts.empty() ? before : read_slot_records(identity.exit_journal);
  for (AttemptUsage& attempt : attempts) {
    if (attempt.slot >= after.size() || after[attempt.slot].attempt != attempt.attempt) continue;
    usage.io_read_bytes += attempt.io_read_bytes;
    usage.io_written_bytes += attempt.io_written_bytes;
    usage.attempts.push_back(attempt);
  }
}

}  // namespace fabric
