// SPDX-License-Identifier: Apache-2.0
// Every record against itself (checksum, decoding) and against the rows that follow from it, both
// ways. Pages come first: LMDB must not walk damaged ones.
#include <algorithm>
#include <map>
#include <set>

#include "store/codec.hpp"
#include "store/meta_page.hpp"
#include "store/page_check.hpp"
#include "store/place.hpp"
#include "store/store_state.hpp"
#include "store/txn_state.hpp"

namespace fabric::store {
namespace {

constexpr size_t k_most_problems = 1000;

class StoreCheck {
 public:
  StoreCheck(const Txn& txn, CheckReport& report) : txn_(txn), report_(report) {}

  void run() {
    sequences();
    walk(Table::edges, &StoreCheck::edge);  // before tasks: they are counted there
    walk(Table::tasks, &StoreCheck::task);
    walk(Table::task_ids, &StoreCheck::task_id);
    for (Table table : {Table::ready, Table::waiting, Table::running, Table::finished})
      walk(table, &StoreCheck::place);
    walk(Table::timers, &StoreCheck::timer);
    walk(Table::dead, &StoreCheck::dead);
    walk(Table::groups, &StoreCheck::group);
    walk(Table::exclusive, &StoreCheck::exclusive);
    walk(Table::attempts, &StoreCheck::attempt);
    walk(Table::pins, &StoreCheck::pin);
    walk(Table::events, &StoreCheck::event);
    walk(Table::violations, &StoreCheck::violation);
    walk(Table::shares, &StoreCheck::share);
    walk(Table::names, &StoreCheck::name);
    walk(Table::recurring, &StoreCheck::recurring);
    walk(Table::payloads, &StoreCheck::payload);
    walk(Table::results, &StoreCheck::result);
    walk(Table::agents, &StoreCheck::agent);
    walk(Table::counts, &StoreCheck::counts);
    for (const auto& [agent, counts] : counts_)
      if (counts.total() != 0) problem(Table::counts, counts_key(agent), "is missing");
  }

 private:
  void problem(Table table, std::string_view key, const std::string& what) {
    say(describe_key(table, key) + ": " + what);
  }
  void say(std::string line) {
    if (report_.problems.size() < k_most_problems) report_.problems.push_back(std::move(line));
    if (report_.problems.size() == k_most_problems) report_.problems.emplace_back("and more");
  }

  void walk(Table table, void (StoreCheck::*row)(Table, std::string_view, std::string_view)) {
    Cursor cursor(txn_, table);
    for (bool on_row = cursor.first(); on_row; on_row = cursor.next()) {
      ++report_.records;
      (this->*row)(table, cursor.key(), cursor.value());
    }
    if (!cursor.status()) say(cursor.status().error().message);
  }

  // A value with a header, opened and parsed; otherwise its problem is reported.
  template <class Record>
  bool open(Table table, std::string_view key, std::string_view value, Record& record) {
    Result<std::string_view> body = open_value(table, key, value);
    if (!body) {
      say(body.error().message);
      return false;
    }
    if (record.ParseFromArray(body->data(), static_cast<int>(body->size()))) return true;
    problem(table, key, "does not parse");
    return false;
  }

  bool sized(Table table, std::string_view key, size_t size) {
    if (key.size() == size) return true;
    problem(table, key, "key of " + std::to_string(key.size()) + " bytes");
    return false;
  }
  bool empty(Table table, std::string_view key, std::string_view value) {
    if (value.empty()) return true;
    problem(table, key, "holds something");
    return false;
  }

  // Without a word: the record itself is reported where it is walked.
  bool load(uint64_t sequence, record::Task& record) {
    Result<bool> found = txn_.load_task(sequence, record);
    return found && *found;
  }

  void sequences() {
    record::Sequences record;
    Result<bool> found = txn_.get_record(Table::meta, k_meta_sequences, record);
    if (!found) return say(found.error().message);
    if (*found) next_ = sequences_of(record);
    record::Supervisor supervisor;
    if (auto read = txn_.get_record(Table::meta, k_meta_supervisor, supervisor); !read)
      say(read.error().message);
    record::Pauses pauses;
    if (auto read = txn_.get_record(Table::meta, k_meta_pauses, pauses); !read)
      say(read.error().message);
    else if (Result<std::vector<Pause>> known = get_pauses(pauses); !known)
      problem(Table::meta, k_meta_pauses, known.error().message);
  }

  void edge(Table table, std::string_view key, std::string_view value) {
    if (!sized(table, key, 16) || !empty(table, key, value)) return;
    const uint64_t dependency = number_at(key, 0, 8), dependent = number_at(key, 8, 8);
    ++waits_[dependent];
    record::Task before;
    record::Task after;
    if (!load(dependent, after)) return problem(table, key, "no such dependent");
    if (is_terminal(static_cast<TaskState>(after.state()))) return;
    if (!load(dependency, before)) return problem(table, key, "no such dependency");
    if (is_terminal(static_cast<TaskState>(before.state())))
      problem(table, key, "the dependency has ended");
  }

  void task(Table table, std::string_view key, std::string_view value) {
    record::Task record;
    if (!sized(table, key, 8) || !open(table, key, value, record)) return;
    const uint64_t sequence = number_at(key, 0, 8);
    Result<Task> task = txn_.to_model(sequence, record);
    if (!task) return say(task.error().message);
    if (sequence == 0 || sequence >= next_.task) problem(table, key, "sequence was never given");
    if (counted_under(record) == 0 || record.agent_number() >= next_.agent ||
        record.queue() >= next_.agent)
      problem(table, key, "agent number was never given");
    if (record.attempt_id() >= next_.unique) problem(table, key, "attempt id was never given");
    const uint64_t waits = waits_.contains(sequence) ? waits_.at(sequence) : 0;
    if (task->state == TaskState::pending && task->waiting_on != waits)
      problem(table, key,
              "waits for " + std::to_string(task->waiting_on) + ", but has " +
                  std::to_string(waits) + " edges");
    expect_row(Table::task_ids, record.id(), key, describe_key(table, key));
    const std::string whose = describe_key(table, key);
    const Place place = place_of(sequence, record);
    expect_row(place.table, place.key, {}, whose);
    if (const int64_t at = timer_of(record); at != 0)
      expect_row(Table::timers, timer_key(at, sequence), {}, whose);
    if (record.dead()) expect_row(Table::dead, key, {}, whose);
    if (!record.group().empty())
      expect_row(Table::groups, text_key(record.group(), key), {}, whose);
    if (waits_for_exclusive(record))
      expect_row(Table::exclusive, exclusive_waiter_key(sequence, record), {}, whose);
    if (holds_exclusive(record))
      expect_row(Table::exclusive, text_key(record.exclusive(), {}), key, whose);
    ++counts_[counted_under(record)].of(task->state);
    ++counts_[0].of(task->state);
  }

  void expect_row(Table table, std::string_view key, std::string_view value,
                  const std::string& whose) {
    auto row = txn_.get(table, key);
    if (!row) return say(row.error().message);
    if (!*row)
      problem(table, key, "is missing (of " + whose + ")");
    else if (**row != value)
      problem(table, key, "does not lead to " + whose);
  }

  void task_id(Table table, std::string_view key, std::string_view value) {
    record::Task record;
    if (value.size() != 8) return problem(table, key, "wrong size");
    if (!load(number_at(value, 0, 8), record) || record.id() != key)
      problem(table, key, "leads to no such task");
  }

  void place(Table table, std::string_view key, std::string_view value) {
    const size_t size = table == Table::ready ? 21 : table == Table::finished ? 16 : 12;
    if (!sized(table, key, size) || !empty(table, key, value)) return;
    const uint64_t sequence = number_at(key, size - 8, 8);
    record::Task record;
    if (!load(sequence, record)) return problem(table, key, "no such task");
    const Place place = place_of(sequence, record);
    if (place.table != table || std::string_view(place.key) != key)
      problem(table, key, "its task is not in this state");
  }

  void timer(Table table, std::string_view key, std::string_view value) {
    record::Task record;
    if (!sized(table, key, 16) || !empty(table, key, value)) return;
    if (!load(number_at(key, 8, 8), record) ||
        timer_of(record) != static_cast<int64_t>(number_at(key, 0, 8)))
      problem(table, key, "its task has no such time");
  }

  void dead(Table table, std::string_view key, std::string_view value) {
    record::Task record;
    if (!sized(table, key, 8) || !empty(table, key, value)) return;
    if (!load(number_at(key, 0, 8), record) || !record.dead())
      problem(table, key, "its task is not dead");
  }

  void group(Table table, std::string_view key, std::string_view value) {
    record::Task record;
    if (!empty(table, key, value)) return;
    if (key.size() < 9) return problem(table, key, "too short");
    const std::string_view sequence = key.substr(key.size() - 8);
    if (!load(number_at(sequence, 0, 8), record) || text_key(record.group(), sequence) != key)
      problem(table, key, "its task is not in this group");
  }

  void exclusive(Table table, std::string_view key, std::string_view value) {
    record::Task record;
    if (key.ends_with('\0') && value.size() == 8) {
      if (!load(number_at(value, 0, 8), record) || !holds_exclusive(record) ||
          text_key(record.exclusive(), {}) != key)
        problem(table, key, "its task does not hold it");
      return;
    }
    if (!empty(table, key, value)) return;
    if (key.size() < 10) return problem(table, key, "too short");
    const uint64_t sequence = number_at(key, key.size() - 8, 8);
    if (!load(sequence, record) || !waits_for_exclusive(record) ||
        exclusive_waiter_key(sequence, record) != key)
      problem(table, key, "its task does not wait for it");
  }

  void pin(Table table, std::string_view key, std::string_view value) {
    record::Task record;
    if (!sized(table, key, 16) || !empty(table, key, value)) return;
    if (!load(number_at(key, 0, 8), record)) problem(table, key, "no such dependency");
    if (!load(number_at(key, 8, 8), record) || is_terminal(static_cast<TaskState>(record.state())))
      problem(table, key, "nobody will read it");
  }

  void attempt(Table table, std::string_view key, std::string_view value) {
    record::Attempt record;
    record::Task task;
    if (!sized(table, key, 13) || !open(table, key, value, record)) return;
    if (Result<Attempt> attempt = get_attempt(record); !attempt)
      return problem(table, key, attempt.error().message);
    if (!load(number_at(key, 0, 8), task)) problem(table, key, "belongs to no task");
  }

  void event(Table table, std::string_view key, std::string_view value) {
    record::Event record;
    if (!sized(table, key, 8) || !open(table, key, value, record)) return;
    if (Result<Event> event = get_event(record); !event)
      return problem(table, key, event.error().message);
    if (number_at(key, 0, 8) >= next_.event) problem(table, key, "its number was never given");
  }

  void violation(Table table, std::string_view key, std::string_view value) {
    record::Violation record;
    if (!sized(table, key, 12) || !open(table, key, value, record)) return;
    if (Result<Violation> known = get_violation(record); !known)
      return problem(table, key, known.error().message);
    if (number_at(key, 0, 4) >= next_.agent) problem(table, key, "belongs to no agent");
  }

  void name(Table table, std::string_view key, std::string_view value) {
    Result<std::string_view> body = open_value(table, key, value);
    if (!body) return say(body.error().message);
    if (body->size() != 4) return problem(table, key, "wrong size");
    const auto number = static_cast<uint32_t>(number_at(*body, 0, 4));
    const char kind = key[0];
    const uint64_t given = kind == static_cast<char>(NameKind::share)        ? next_.share
                           : kind == static_cast<char>(NameKind::slot_class) ? next_.slot_class
                           : kind == static_cast<char>(NameKind::route)      ? next_.agent
                                                                             : 0;
    if (number == 0 || number >= given) return problem(table, key, "its number was never given");
    if (kind != static_cast<char>(NameKind::share)) return;
    record::Share share;
    Result<bool> found = txn_.get_record(Table::shares, Key().u32(number), share);
    if (!found || !*found || share.name() != key.substr(1))
      problem(table, key, "has no such share");
  }

  void share(Table table, std::string_view key, std::string_view value) {
    record::Share record;
    if (!sized(table, key, 4) || !open(table, key, value, record)) return;
    if (number_at(key, 0, 4) >= next_.share) problem(table, key, "its number was never given");
    const Result<std::optional<uint32_t>> number = find_share(record.name());
    if (!number) return say(number.error().message);
    if (*number != number_at(key, 0, 4)) problem(table, key, "its name leads elsewhere");
  }

  Result<std::optional<uint32_t>> find_share(const std::string& name) {
    const std::string key = "s" + name;
    const std::optional<std::string_view> value = TRY(txn_.get(Table::names, key));
    if (!value) return std::optional<uint32_t>{};
    const std::string_view body = TRY(open_value(Table::names, key, *value));
    return std::optional(
        static_cast<uint32_t>(number_at(body, 0, std::min<size_t>(4, body.size()))));
  }

  void recurring(Table table, std::string_view key, std::string_view value) {
    record::Recurring record;
    if (!open(table, key, value, record)) return;
    if (Result<Recurring> recurring = get_recurring(record); !recurring || recurring->id != key)
      problem(table, key, "does not parse");
  }

  void payload(Table table, std::string_view key, std::string_view value) {
    record::Task record;
    if (!sized(table, key, 8)) return;
    if (Result<std::string_view> body = open_value(table, key, value); !body)
      say(body.error().message);
    else if (!load(number_at(key, 0, 8), record) || !record.has_payload_bytes())
      problem(table, key, "belongs to no task");
  }

  void result(Table table, std::string_view key, std::string_view value) {
    record::TaskResult record;
    record::Task task;
    if (!sized(table, key, 8) || !open(table, key, value, record)) return;
    if (!load(number_at(key, 0, 8), task)) problem(table, key, "belongs to no task");
  }

  void agent(Table table, std::string_view key, std::string_view value) {
    record::Agent record;
    if (!open(table, key, value, record)) return;
    Result<Agent> agent = get_agent(record);
    if (!agent) return problem(table, key, agent.error().message);
    if (record.id() != key) problem(table, key, "holds another agent");
    if (record.number() == 0 || record.number() >= next_.agent)
      problem(table, key, "its number was never given");
    if (!agent_numbers_.insert(record.number()).second)
      problem(table, key, "has the number of another agent");
  }

  void counts(Table table, std::string_view key, std::string_view value) {
    record::Counts record;
    if (!sized(table, key, 4) || !open(table, key, value, record)) return;
    const auto agent = static_cast<uint32_t>(number_at(key, 0, 4));
    const TaskCounts stored = get_counts(record);
    const TaskCounts counted = counts_.contains(agent) ? counts_.at(agent) : TaskCounts{};
    counts_.erase(agent);
    for (int i = 0; i < k_task_states; ++i) {
      const auto state = static_cast<TaskState>(i);
      if (stored.of(state) != counted.of(state))
        problem(table, key,
                "says " + std::to_string(stored.of(state)) + " " + std::string(to_string(state)) +
                    ", there are " + std::to_string(counted.of(state)));
    }
  }

  const Txn& txn_;
  CheckReport& report_;
  Txn::Sequences next_;
  std::map<uint64_t, uint64_t> waits_;     // dependent -> edges
  std::map<uint32_t, TaskCounts> counts_;  // as counted, until compared
  std::set<uint32_t> agent_numbers_;
};

}  // namespace

Result<CheckReport> Store::check() const {
  Environment& environment = *state_->environment;
  CheckReport report;
  for (int attempt = 0; attempt < 100; ++attempt) {
    const ReadTxn reader = TRY(read());
    const Txn& txn = *reader.state_;
    int fd = -1;
    ::mdb_env_get_fd(environment.get(), &fd);
    const std::optional<MetaPage> meta = read_meta_page(fd, ::mdb_txn_id(txn.raw()));
    if (!meta) continue;  // a busy writer
    check_pages(fd, *meta, [&](const std::string& what) { report.problems.push_back(what); });
    if (!report.problems.empty()) return report;
    StoreCheck(txn, report).run();
    return report;
  }
  return fail(ErrorCode::unavailable,
              environment.path() + ": too busy to be checked, or the " + "meta pages are damaged");
}

}  // namespace fabric::store
