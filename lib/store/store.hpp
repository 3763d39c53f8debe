// SPDX-License-Identifier: Apache-2.0
// The store: the truth about a workspace, in LMDB under .fabric/store (format:
// docs/store-format.md).
//
// Its interface is domain operations, never keys and pages. Index rows and counters are derived
// from records in one place (save), so they cannot disagree with them.
//
// Processes: any number of readers without locks; one writer at a time. Who may write is decided by
// the ownership lock (ownership.hpp): the supervisor for life, or a direct command for one
// transaction. A process opens one Store once (LMDB's locks break otherwise) and never uses it
// after fork.
// Threads: a Store may be shared; a transaction belongs to the thread that made it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/agent.hpp"
#include "model/event.hpp"
#include "model/pause.hpp"
#include "model/recurring.hpp"
#include "model/task.hpp"
#include "model/violation.hpp"

namespace fabric::store {

struct OpenOptions;  // options.hpp

// Who supervises, as last written by a supervisor. Whether it lives is told by the ownership lock.
struct SupervisorRecord {
  int64_t pid = 0;
  uint64_t pid_start_time = 0;
  std::string boot_id;
  WallTime since;
  std::string version;
  std::string pressure;          // what delays new starts now, in words; "" when nothing does
  uint32_t pressure_degree = 0;  // 1: of priority low, 2: of normal too
};

// Texts that have numbers in keys, given once and for ever.
enum class NameKind : char { share = 's', slot_class = 'c', route = 'r' };
struct Name {
  uint32_t number = 0;
  std::string text;
};

struct LaneBacklog {
  Lane lane;
  uint64_t ready = 0;
};

struct Share {
  ShareNumber number = 0;
  std::string name;
  ShareTimes times;
};

struct TaskFilter {
  std::optional<TaskState> state;
  std::string agent;  // "" is any
  std::string type;
  size_t limit = 50;  // 0: all
  std::string group;
  Metadata metadata;    // all of these entries
  bool dead = false;    // only the dead-letter list
  uint64_t before = 0;  // only tasks with a lower sequence number; 0: all. The next page
};

struct StoreStat {
  uint32_t schema_version = 0;
  uint64_t file_bytes = 0, used_bytes = 0, map_bytes = 0;
  uint64_t last_transaction = 0;
  uint32_t readers = 0, max_readers = 0;
  struct Table {
    std::string name;
    uint64_t entries = 0, bytes = 0;
  };
  std::vector<Table> tables;
};

struct CheckReport {
  uint64_t records = 0;
  std::vector<std::string> problems;  // one line each: table, key, what is wrong
};

// For who mirrors the queues in memory.
struct QueueChanges {
  std::vector<std::pair<Lane, int64_t>> ready;  // tasks that came to and left lanes, summed up
  std::vector<uint64_t> ended;                  // ids of attempts that run no more
};

class ReadTxn {
 public:
  ReadTxn(ReadTxn&&) noexcept;
  ReadTxn& operator=(ReadTxn&&) noexcept;
  virtual ~ReadTxn();  // ends it; a WriteTxn that was not committed leaves nothing

  [[nodiscard]] Result<std::optional<Task>> find_task(std::string_view id) const;
  [[nodiscard]] Result<std::optional<Task>> find_task(uint64_t sequence) const;
  // Newest first.
  [[nodiscard]] Result<std::vector<Task>> list_tasks(const TaskFilter& filter) const;
  [[nodiscard]] Result<std::optional<TaskResult>> find_result(uint64_t sequence) const;
  // Sequences of running tasks (all, or of one agent).
  [[nodiscard]] Result<std::vector<uint64_t>> running_tasks() const;
  [[nodiscard]] Result<std::vector<uint64_t>> running_tasks(uint32_t agent_number) const;
  // Lanes with ready tasks, in key order: of all queues, counted.
  [[nodiscard]] Result<std::vector<LaneBacklog>> ready_lanes() const;
  // Of one queue; at least one task is in each (`ready` is 1: they are not counted).
  [[nodiscard]] Result<std::vector<LaneBacklog>> ready_lanes(QueueNumber queue) const;
  // The oldest ready task of a lane.
  [[nodiscard]] Result<std::optional<uint64_t>> lane_head(const Lane& lane) const;
  // How many ready tasks are before this one in its lane, at most `limit`.
  [[nodiscard]] Result<uint64_t> tasks_before(const Task& task, uint64_t limit) const;
  // All pending tasks of an agent, ready or waiting, in submission order; at most `limit`.
  [[nodiscard]] Result<std::vector<uint64_t>> pending_tasks(uint32_t agent_number,
                                                            size_t limit) const;
  [[nodiscard]] Result<std::vector<uint64_t>> group_tasks(std::string_view group) const;
  [[nodiscard]] Result<std::vector<uint64_t>> dead_tasks() const;
  [[nodiscard]] Result<std::vector<Attempt>> attempts(uint64_t sequence) const;
  // The task that holds an exclusive key: it is ready or runs.
  [[nodiscard]] Result<std::optional<uint64_t>> exclusive_holder(std::string_view key) const;
  // Most urgent level first, then first in first out.
  [[nodiscard]] Result<std::optional<uint64_t>> next_exclusive_waiter(std::string_view key) const;
  // Tasks about which something must be decided by `now`, soonest first.
  [[nodiscard]] Result<std::vector<uint64_t>> due_timers(WallTime now, size_t limit) const;
  [[nodiscard]] Result<std::optional<WallTime>> next_timer() const;
  // Tasks that still wait for `sequence`.
  [[nodiscard]] Result<std::vector<uint64_t>> dependents(uint64_t sequence) const;
  // Tasks that ended before `before`, oldest end first: what retention removes.
  [[nodiscard]] Result<std::vector<uint64_t>> finished_tasks(WallTime before, size_t limit) const;

  // Whether a task that has not ended will read its result.
  [[nodiscard]] Result<bool> is_pinned(uint64_t sequence) const;
  // Events after position `after`, oldest first.
  [[nodiscard]] Result<std::vector<Event>> events(uint64_t after, size_t limit) const;
  [[nodiscard]] Result<uint64_t> first_event() const;  // 0: there is none
  [[nodiscard]] Result<uint64_t> last_event() const;   // position of the newest; 0: none ever was

  // Numbers of agents, also of those that are gone.
  [[nodiscard]] Result<std::vector<uint32_t>> agents_with_violations() const;
  // Of one agent, after number `after`, oldest first. A thousand are kept.
  [[nodiscard]] Result<std::vector<Violation>> violations(uint32_t agent, uint64_t after) const;

  [[nodiscard]] Result<std::optional<uint32_t>> find_number(NameKind kind,
                                                            std::string_view text) const;
  [[nodiscard]] Result<std::vector<Name>> names(NameKind kind) const;
  [[nodiscard]] Result<std::vector<Share>> shares() const;
  [[nodiscard]] Result<std::vector<Recurring>> list_recurring() const;  // by id
  [[nodiscard]] Result<std::optional<Recurring>> find_recurring(std::string_view id) const;
  [[nodiscard]] Result<std::vector<Pause>> pauses() const;

  [[nodiscard]] Result<std::optional<Agent>> find_agent(std::string_view id) const;
  [[nodiscard]] Result<std::vector<Agent>> list_agents() const;  // by id
  [[nodiscard]] Result<TaskCounts> counts(QueueNumber queue) const;
  [[nodiscard]] Result<TaskCounts> counts() const;  // workspace, agents that are gone included
  [[nodiscard]] Result<SupervisorRecord> supervisor() const;

 protected:
  struct State;
  explicit ReadTxn(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
  friend class Store;
};

class WriteTxn : public ReadTxn {
 public:
  // A transaction inside this one: commit() merges it, destruction leaves nothing of it. While it
  // lives this one must not be used.
  Result<WriteTxn> nested();
  // Durable (synced) when it returns, if outermost. ErrorCode::unavailable with a clear word when
  // the disk is full; then nothing of the transaction is there and the store works on.
  Status commit();

  // Assigns task.sequence, task.waiting_on and, where it has none, task.lane; and writes record,
  // id, index rows, counters, and one edge for each of `open_dependencies` (sequences of tasks that
  // have not ended). The id must be new; the agent must exist, or be "" where task.lane.queue is a
  // route.
  Status add_task(Task& task, const std::vector<uint64_t>& open_dependencies);
  // Replaces the record of task.sequence; index rows and counters follow from old and new. Fields
  // that a newer version wrote into the record survive. The payload is left as it is.
  Status save_task(const Task& task);
  Status save_payload(uint64_t sequence, const std::string& payload);
  // Only of a task that has ended; what it left goes with it.
  Status remove_task(uint64_t sequence);
  Status save_result(uint64_t sequence, const TaskResult& result);
  // `dependent` will read the result of `dependency`, until it says otherwise.
  Status pin(uint64_t dependency, uint64_t dependent);
  Status unpin(uint64_t dependency, uint64_t dependent);
  // Removes the edge dependent -> dependency. The caller updates waiting_on.
  Status remove_edge(uint64_t dependency, uint64_t dependent);

  Status save_attempt(uint64_t sequence, const Attempt& attempt);
  // 0: nobody holds it any more.
  Status set_exclusive_holder(std::string_view key, uint64_t sequence);
  // Assigns event.sequence.
  Status add_event(Event& event);
  // The oldest events, up to and including position `last`, at most `limit`. Returns how many.
  Result<size_t> remove_events(uint64_t last, size_t limit);
  // Assigns violation.sequence; the oldest of its agent makes room. One that was there within the
  // last minute is only counted.
  Status add_violation(Violation& violation);
  Status save_violation(const Violation& violation);
  // Assigns one where the text has none.
  Result<uint32_t> number_of(NameKind kind, std::string_view text);
  Status save_share_times(ShareNumber share, const ShareTimes& times);
  Status save_recurring(const Recurring& recurring);
  Status remove_recurring(std::string_view id);
  Status save_pauses(const std::vector<Pause>& pauses);
  // What changed as this transaction sees it: in it, in those inside it that were committed, and in
  // those around it, since any of them was asked last. Who asks and then drops it has heard of
  // changes that never were.
  QueueChanges take_queue_changes();
  // Of a store with an older schema (upgrade.hpp).
  Status upgrade();

  // Assigns agent.number when it is 0.
  Status save_agent(Agent& agent);
  // Its tasks stay; the number is never given again.
  Status remove_agent(std::string_view id);
  // Unique in the workspace, for ever (attempt ids, sandbox generations).
  Result<uint64_t> next_unique();
  Status save_supervisor(const SupervisorRecord& record);

 private:
  Status move_to_lanes();
  using ReadTxn::ReadTxn;
  friend class Store;
};

class Store {
 public:
  // Makes the environment when `directory` has none and `create` is set. Refuses: a newer schema, a
  // truncated file, a network file system. Clears stale readers.
  enum class Mode : uint8_t { read, write, create };
  static Result<Store> open(const std::string& directory, Mode mode);
  static Result<Store> open(const std::string& directory, Mode mode, const OpenOptions& options);

  Result<ReadTxn> read() const;
  Result<WriteTxn> write();  // waits for the writer of another process

  // Grows the map when it is nearly full; called between transactions by write().
  Result<StoreStat> stat() const;
  // Walks every record: checksum, decoding, index rows and counters against records.
  Result<CheckReport> check() const;
  // A consistent, compacted copy into a new directory, while others read and write. Synced.
  Status backup(const std::string& directory) const;

  // Path of a small file that is written after every commit: inotify on it is how readers in other
  // processes wait for a change without polling.
  [[nodiscard]] const std::string& bell_path() const;
  void clear_stale_readers() const;

  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

 private:
  struct State;
  explicit Store(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Rewrites the store in `directory` without free pages (nobody may have it open): old or new, never
// between, also when killed.
Status compact(const std::string& directory);

}  // namespace fabric::store
