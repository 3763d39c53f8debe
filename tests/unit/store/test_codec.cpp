// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "store/codec.hpp"
#include "store/place.hpp"
#include "store/value.hpp"
#include "tests/unit/store/helpers.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

namespace {

Task full_task() {
  Task task = task_of("coder", "id");
  task.type = "type";
  task.payload = "[1,2]";
  task.priority = Priority::low;
  task.metadata = {{"k", "v"}, {"", std::string("\0\xff", 2)}};
  task.depends_on = {"a", "b"};
  task.timeout = Duration::seconds(9);
  task.correlation_id = "corr";
  task.traceparent = "00-x";
  task.state = TaskState::timed_out;
  task.reason = Reason::timeout;
  task.detail = "why";
  task.waiting_on = 1;
  task.attempt = 2;
  task.attempt_id = 3;
  task.lost_attempts = 4;
  task.started_at.us = 5;
  task.finished_at.us = 6;
  task.exit_code = 0;
  task.signal = -1;
  task.result_bytes = 7;
  task.stderr_bytes = 8;
  task.dropped_bytes = 9;
  task.cpu = Duration::millis(10);
  task.memory_peak_bytes = ~uint64_t{0};
  task.usage.input_tokens = 11;
  return task;
}

// A field of the far future: number 1000, length-delimited.
std::string from_the_future(const google::protobuf::MessageLite& record, const std::string& text) {
  std::string bytes = record.SerializeAsString();
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream out(&stream);
  out.WriteTag(1000 << 3 | 2);
  out.WriteVarint32(static_cast<uint32_t>(text.size()));
  out.WriteString(text);
  out.Trim();
  return bytes;
}

}  // namespace

TEST_CASE("every field of a task is kept") {
  const Task task = full_task();
  record::Task record;
  put_task(task, record);
  record.set_payload(task.payload);
  record::Task parsed;
  REQUIRE(parsed.ParseFromString(record.SerializeAsString()));
  CHECK(shown(ok(get_task(parsed))) == shown(task));
}

TEST_CASE("fields of a newer version survive a save") {
  record::Task record;
  put_task(full_task(), record);
  record.set_payload("1");
  record::Task read;
  REQUIRE(read.ParseFromString(from_the_future(record, "tomorrow")));
  Task task = ok(get_task(read));
  task.state = TaskState::pending;
  task.metadata.pop_back();
  put_task(task, read);
  const std::string written = read.SerializeAsString();
  CHECK(written.find("tomorrow") != std::string::npos);
  record::Task again;
  REQUIRE(again.ParseFromString(written));
  CHECK(shown(ok(get_task(again))) == shown(task));

  record::Agent agent;
  put_agent(agent_named("a"), agent);
  record::Agent newer;
  REQUIRE(newer.ParseFromString(from_the_future(agent, "tomorrow")));
  put_agent(ok(get_agent(newer)), newer);
  CHECK(newer.SerializeAsString().find("tomorrow") != std::string::npos);
}

TEST_CASE("numbers that this version has no word for are refused") {
  record::Task task;
  task.set_state(6);
  CHECK(!get_task(task));
  task.set_state(5);
  task.set_priority(4);
  CHECK(!get_task(task));
  task.set_priority(0);
  task.set_reason(static_cast<uint32_t>(k_last_reason) + 1);
  CHECK(!get_task(task));
  task.set_reason(static_cast<uint32_t>(k_last_reason));
  CHECK(get_task(task));
  record::Agent agent;
  agent.set_kind(3);
  CHECK(!get_agent(agent));
  agent.set_kind(0);
  agent.set_isolation(3);
  CHECK(!get_agent(agent));
  agent.set_isolation(0);
  agent.set_state(6);
  CHECK(!get_agent(agent));
  agent.set_state(0);
  agent.set_health(3);
  CHECK(!get_agent(agent));
  agent.set_health(0);
  agent.set_pid(int64_t{1} << 40);
  CHECK(!get_agent(agent));
}

TEST_CASE("a value is bound to its table and key, and every bit of it counts") {
  const std::string value = make_value(Table::tasks, task_key(7), "body");
  CHECK(ok(open_value(Table::tasks, task_key(7), value)) == "body");
  CHECK(!open_value(Table::tasks, task_key(8), value));
  CHECK(!open_value(Table::results, task_key(7), value));
  for (size_t bit = 0; bit < value.size() * 8; ++bit) {
    std::string broken = value;
    broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ 1 << bit % 8);
    CHECK(!open_value(Table::tasks, task_key(7), broken));
  }
  for (size_t size = 0; size < value.size(); ++size)
    CHECK(!open_value(Table::tasks, task_key(7), std::string_view(value).substr(0, size)));
  CHECK(!open_value(Table::tasks, task_key(7), value + "x"));
}

TEST_CASE("errors name table and key") {
  CHECK(describe_key(Table::tasks, task_key(17)) == "tasks 17");
  CHECK(describe_key(Table::ready, ready_key({3, 4, Priority::normal, 5}, 17)) ==
        "ready 3/4/2/5/17");
  CHECK(describe_key(Table::waiting, waiting_key(3, 17)) == "waiting 3/17");
  CHECK(describe_key(Table::timers, timer_key(33, 17)) == "timers 33/17");
  CHECK(describe_key(Table::attempts, attempt_key(17, 2, true)) == "attempts 17/2/1");
  CHECK(describe_key(Table::dead, task_key(17)) == "dead 17");
  CHECK(describe_key(Table::events, task_key(17)) == "events 17");
  CHECK(describe_key(Table::running, running_key(3, 17)) == "running 3/17");
  CHECK(describe_key(Table::edges, edge_key(1, 2)) == "edges 1/2");
  CHECK(describe_key(Table::counts, counts_key(4)) == "counts 4");
  CHECK(describe_key(Table::agents, "co\nder") == "agents 'co?der'");
  for (size_t table = 0; table < k_tables; ++table)
    for (size_t size = 0; size < 20; ++size)
      CHECK(!describe_key(static_cast<Table>(table), std::string(size, '\x01')).empty());
}

TEST_CASE("a task stands in one place") {
  record::Task task;
  task.set_agent_number(2);
  task.set_queue(7);
  task.set_share_number(3);
  task.set_level(1);
  task.set_slot_class(4);
  task.set_reason(static_cast<uint32_t>(Reason::queued));
  CHECK(place_of(9, task) == Place{Table::ready, ready_key({7, 3, Priority::high, 4}, 9)});
  for (Reason reason : {Reason::dependency, Reason::not_before, Reason::exclusive}) {
    task.set_reason(static_cast<uint32_t>(reason));
    CHECK(place_of(9, task) == Place{Table::waiting, waiting_key(7, 9)});
  }
  task.set_state(static_cast<uint32_t>(TaskState::running));
  CHECK(place_of(9, task) == Place{Table::running, running_key(2, 9)});
  task.set_state(static_cast<uint32_t>(TaskState::cancelled));
  task.set_finished_at_us(5);
  CHECK(place_of(9, task) == Place{Table::finished, finished_key(5, 9)});
}
