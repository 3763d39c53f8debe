// SPDX-License-Identifier: Apache-2.0
#include "fabric/stats_view.hpp"

#include <algorithm>
#include <cmath>

#include "base/size.hpp"
#include "fabric/json_write.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

void write_attempts(Writer& w, const std::vector<LiveAttempt>& attempts) {
  w.begin_array();
  for (const LiveAttempt& attempt : attempts) {
    w.begin_object().key("tasks");
    write_list(w, attempt.tasks);
    w.field("slot", attempt.slot).key("started_at");
    write_time(w, attempt.started_at);
    w.field("memory_bytes", attempt.memory_bytes).key("memory_peak_bytes");
    write_maybe(w, attempt.memory_peak_bytes);
    w.field("cpu_seconds", attempt.cpu_seconds);
    w.field("cpu_throttled_seconds", attempt.cpu_throttled_seconds);
    w.field("processes", attempt.processes).field("pids_refused", attempt.pids_refused);
    w.field("io_read_bytes", attempt.io_read_bytes);
    w.field("io_written_bytes", attempt.io_written_bytes).end_object();
  }
  w.end_array();
}

// clang-format off
constexpr auto k_stats = std::to_array<JsonField<StatsView>>({
    {"at", "When it was asked.", [](Writer& w, const StatsView& v) { write_time(w, v.at); }},
    {"agent", "Its id.", [](Writer& w, const StatsView& v) { w.string(v.agent.definition.id); }},
    {"limits", "What it may use, with the fields of limits in fabric-agents(1).",
     [](Writer& w, const StatsView& v) { write_limits(w, v.agent.definition.limits); }},
    {"memory_bytes", "Memory its sandbox holds.", [](Writer& w, const StatsView& v) { write_count(w, v.usage.memory_bytes); }},
    {"memory_peak_bytes", "The most that it held since it was made; 0 where the kernel does not tell.",
     [](Writer& w, const StatsView& v) { write_count(w, v.usage.memory_peak_bytes); }},
    {"oom_kills", "Processes that the memory limit killed.", [](Writer& w, const StatsView& v) { write_count(w, v.usage.oom_kills); }},
    {"cpu_seconds", "Processor time since its sandbox was made.", [](Writer& w, const StatsView& v) { w.number(v.usage.cpu_seconds); }},
    {"cpu_throttled_seconds", "Time that its processors stood still because of the cpu limit.",
     [](Writer& w, const StatsView& v) { w.number(v.usage.cpu_throttled_seconds); }},
    {"pids", "Processes and threads in it.", [](Writer& w, const StatsView& v) { write_count(w, v.usage.pids); }},
    {"pids_refused", "Processes that the pids limit refused it.", [](Writer& w, const StatsView& v) { write_count(w, v.usage.pids_refused); }},
    {"io_read_bytes", "Read from disks, by tasks that ended and processes that live.", [](Writer& w, const StatsView& v) { write_count(w, v.usage.io_read_bytes); }},
    {"io_written_bytes", "Written to disks, likewise.", [](Writer& w, const StatsView& v) { write_count(w, v.usage.io_written_bytes); }},
    {"net_received_bytes", "Received through the interfaces of its own network, the loopback included; null at isolation level none.",
     [](Writer& w, const StatsView& v) { write_maybe(w, v.usage.net_received_bytes); }},
    {"net_sent_bytes", "Sent, likewise.", [](Writer& w, const StatsView& v) { write_maybe(w, v.usage.net_sent_bytes); }},
    {"disk_bytes", "What its work directory held when it was last measured; null without a limit of it.",
     [](Writer& w, const StatsView& v) { write_maybe(w, v.usage.disk_bytes); }},
    {"disk_quota", "How the limit of its work directory is kept, or null without one.", [](Writer& w, const StatsView& v) { write_text(w, v.agent.disk_quota); }},
    {"attempts", "What runs now: tasks (their ids; several of one worker), slot, started_at, and of it memory_bytes, memory_peak_bytes, cpu_seconds, cpu_throttled_seconds, processes, pids_refused, io_read_bytes and io_written_bytes.",
     [](Writer& w, const StatsView& v) { write_attempts(w, v.usage.attempts); }},
});
// clang-format on

std::string seconds_in_words(double seconds) {
  return human(Duration::nanoseconds(static_cast<int64_t>(seconds * 1e9)));
}

std::string size_or_nothing(const std::optional<uint64_t>& bytes) {
  return bytes ? human_size(*bytes) : "";
}

std::string of(const std::string& value, uint64_t limit, const std::string& limit_text) {
  return limit == 0 ? value : value + "/" + limit_text;
}

// "37%" of one core, since an earlier look at the same sandbox.
std::string share(const StatsView& now, const std::vector<StatsView>& before) {
  for (const StatsView& old : before) {
    if (old.agent.number != now.agent.number || old.agent.generation != now.agent.generation)
      continue;
    const double seconds = (now.at - old.at).to_seconds();
    const double used = now.usage.cpu_seconds - old.usage.cpu_seconds;
    if (seconds > 0 && used >= 0) return std::to_string(std::lround(used / seconds * 100)) + "%";
  }
  return "";
}

void add_agent(Table& table, const StatsView& view, const std::string* cpu_share) {
  const Limits& limits = view.agent.definition.limits;
  const LiveUsage& u = view.usage;
  std::vector<Cell> row;
  row.emplace_back(view.agent.definition.id, Colour::bold);
  row.emplace_back(
      of(human_size(u.memory_bytes), limits.memory_bytes, human_size(limits.memory_bytes)),
      u.oom_kills > 0 ? Colour::red : Colour::none);
  if (cpu_share) row.emplace_back(*cpu_share);
  row.emplace_back(seconds_in_words(u.cpu_seconds));
  row.emplace_back(seconds_in_words(u.cpu_throttled_seconds));
  row.emplace_back(of(std::to_string(u.pids), limits.pids, std::to_string(limits.pids)));
  row.emplace_back(std::to_string(u.pids_refused),
                   u.pids_refused > 0 ? Colour::yellow : Colour::none);
  row.emplace_back(human_size(u.io_read_bytes));
  row.emplace_back(human_size(u.io_written_bytes));
  row.emplace_back(size_or_nothing(u.net_received_bytes));
  row.emplace_back(size_or_nothing(u.net_sent_bytes));
  row.emplace_back(
      u.disk_bytes ? of(human_size(*u.disk_bytes), limits.disk_bytes, human_size(limits.disk_bytes))
                   : "");
  table.add(std::move(row));
}

void add_attempt(Table& table, const LiveAttempt& attempt, bool with_share) {
  std::vector<Cell> row;
  row.emplace_back("  " + (attempt.tasks.empty() ? "(worker)" : join(attempt.tasks, " ")));
  row.emplace_back(human_size(attempt.memory_bytes));
  if (with_share) row.emplace_back("");
  row.emplace_back(seconds_in_words(attempt.cpu_seconds));
  row.emplace_back(seconds_in_words(attempt.cpu_throttled_seconds));
  row.emplace_back(std::to_string(attempt.processes));
  row.emplace_back(std::to_string(attempt.pids_refused));
  row.emplace_back(human_size(attempt.io_read_bytes));
  row.emplace_back(human_size(attempt.io_written_bytes));
  for (int i = 0; i < 3; ++i) row.emplace_back("");
  table.add(std::move(row));
}

}  // namespace

JsonShape stats_shape() { return shape_of<k_stats>(); }

std::string stats_json(const JsonChoice& choice, const StatsView& view) {
  return choice.object(k_stats, view);
}

Result<std::vector<StatsView>> gather_stats(const store::ReadTxn& txn, const LiveUsageList& usage,
                                            const std::string& only, WallTime now) {
  std::vector<StatsView> views;
  for (const auto& [id, use] : usage) {
    if (!only.empty() && id != only) continue;
    // Gone since the supervisor was asked.
    if (auto agent = TRY(txn.find_agent(id))) views.push_back({now, *std::move(agent), use});
  }
  std::sort(views.begin(), views.end(), [](const StatsView& a, const StatsView& b) {
    return a.agent.definition.id < b.agent.definition.id;
  });
  return views;
}

std::string stats_table(const std::vector<StatsView>& now, const std::vector<StatsView>* before,
                        size_t width) {
  std::vector<Column> columns{{"AGENT", Align::left, 10}, {"MEMORY", Align::right}};
  if (before) columns.push_back({"CPU%", Align::right});
  for (const char* title :
       {"CPU", "WAITED", "PIDS", "REFUSED", "READ", "WRITTEN", "RECEIVED", "SENT", "DISK"})
    columns.push_back({title, Align::right});
  Table table(std::move(columns));
  for (const StatsView& view : now) {
    const std::string cpu = before ? share(view, *before) : "";
    add_agent(table, view, before ? &cpu : nullptr);
    for (const LiveAttempt& attempt : view.usage.attempts)
      add_attempt(table, attempt, before != nullptr);
  }
  return table.to_text(width);
}

}  // namespace fabric::cmd
