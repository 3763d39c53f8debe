// SPDX-License-Identifier: Apache-2.0
// What the tests of the store share.
#pragma once

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "store/options.hpp"
#include "store/store.hpp"

namespace fabric::store::test {

// A directory of its own that goes with it; `store()` is where the store is put.
constexpr const char* k_memory = "/dev/shm";

class TempDir {
 public:
  // In memory where much is written and only logic is tested: a sync of a disk takes its time.
  explicit TempDir(const char* parent = "/tmp") {
    path_ = std::string(parent) + "/fabric-store-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) FAIL("no temporary directory in " << parent);
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string store() const { return path_ + "/store"; }

 private:
  std::string path_;
};

template <class T>
T ok(Result<T> result) {
  if (!result) FAIL(result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

inline Store create(const TempDir& dir, const OpenOptions& options = {}) {
  return ok(Store::open(dir.store(), Store::Mode::create, options));
}

inline Agent agent_named(const std::string& id) {
  Agent agent;
  agent.definition.id = id;
  agent.definition.command = {"cat", "-u"};
  return agent;
}

inline Task task_of(const std::string& agent, const std::string& id) {
  Task task;
  task.id = id;
  task.agent = agent;
  task.type = "test";
  task.payload = "{\"n\":1}";
  task.user = "ann";
  task.created_at.us = 1700000000000000;
  return task;
}

inline void add_agent(Store& store, const std::string& id) {
  WriteTxn txn = ok(store.write());
  Agent agent = agent_named(id);
  ok(txn.save_agent(agent));
  ok(txn.commit());
}

inline uint64_t add_task(WriteTxn& txn, Task task, const std::vector<uint64_t>& waits_for = {}) {
  ok(txn.add_task(task, waits_for));
  return task.sequence;
}

inline TaskFilter filter(std::optional<TaskState> state = {}, std::string agent = "",
                         std::string type = "", size_t limit = 0) {
  TaskFilter wanted;
  wanted.state = state;
  wanted.agent = std::move(agent);
  wanted.type = std::move(type);
  wanted.limit = limit;
  return wanted;
}

// The ready task of a queue that is first by level, then by order of submission.
inline Result<std::optional<uint64_t>> next_ready(const ReadTxn& txn, QueueNumber queue) {
  std::optional<uint64_t> best;
  Priority best_level = Priority::low;
  for (const LaneBacklog& backlog : TRY(txn.ready_lanes(queue))) {
    const std::optional<uint64_t> head = TRY(txn.lane_head(backlog.lane));
    if (!head) return fail(ErrorCode::failed, "a lane that has ready tasks is empty");
    if (best && std::pair(best_level, *best) < std::pair(backlog.lane.level, *head)) continue;
    best = head;
    best_level = backlog.lane.level;
  }
  return best;
}

inline void require_clean(const Store& store) {
  const CheckReport report = ok(store.check());
  for (const std::string& problem : report.problems) UNSCOPED_INFO(problem);
  REQUIRE(report.problems.empty());
}

inline std::string shown(const Task& t) {
  std::string out = t.id + "|" + t.agent + "|" + t.type + "|" + t.payload + "|" + t.user + "|" +
                    t.correlation_id + "|" + t.traceparent + "|" + t.detail;
  for (const auto& [key, value] : t.metadata) out += "|" + key + "=" + value;
  for (const std::string& id : t.depends_on) out += "|" + id;
  for (int64_t n : {static_cast<int64_t>(t.sequence),
                    static_cast<int64_t>(t.priority),
                    t.timeout.ns,
                    static_cast<int64_t>(t.state),
                    static_cast<int64_t>(t.reason),
                    int64_t{t.waiting_on},
                    int64_t{t.attempt},
                    static_cast<int64_t>(t.attempt_id),
                    int64_t{t.lost_attempts},
                    t.created_at.us,
                    t.started_at.us,
                    t.finished_at.us,
                    int64_t{t.exit_code.value_or(-99)},
                    int64_t{t.signal.value_or(-99)},
                    static_cast<int64_t>(t.result_bytes),
                    static_cast<int64_t>(t.stderr_bytes),
                    static_cast<int64_t>(t.dropped_bytes),
                    t.cpu.ns,
                    static_cast<int64_t>(t.memory_peak_bytes),
                    static_cast<int64_t>(t.usage.requests),
                    static_cast<int64_t>(t.usage.input_tokens),
                    static_cast<int64_t>(t.usage.output_tokens),
                    static_cast<int64_t>(t.usage.cost_microusd)})
    out += "|" + std::to_string(n);
  return out;
}

// Runs `work` in a child; what it returns is the exit code. The wait status is returned.
template <class Work>
int in_child(Work work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

}  // namespace fabric::store::test
