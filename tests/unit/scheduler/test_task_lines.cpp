// SPDX-License-Identifier: Apache-2.0
// Tasks as people and programs submit them.
#include "base/id.hpp"
#include "scheduler/task_lines.hpp"
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

const std::string k_request = "01890a5d-ac96-774b-bcce-b302099a8057";

Result<std::vector<Task>> parse(std::string_view lines, size_t first_line = 1) {
  return parse_task_lines(lines, {k_request, first_line, "ann", "corr", "00-t-s-01"});
}

// One line with these further members.
std::string line(const std::string& members) { return R"({"agent":"a1",)" + members + "}"; }

std::string quoted(size_t n) { return "\"" + std::string(n, 'x') + "\""; }

}  // namespace

TEST_CASE("every field of a line") {
  Task t =
      ok(parse(R"({"agent":"a1","id":"t1","type":"x","priority":"high","payload": {"b": 1.50},)"
               R"("depends_on":["t0","t0","t9"],"timeout_seconds":1.5,)"
               R"("metadata":{"k":"v","a":""}})"))[0];
  CHECK(t.agent == "a1");
  CHECK(t.id == "t1");
  CHECK(t.type == "x");
  CHECK(t.priority == Priority::high);
  CHECK(t.payload == R"({"b": 1.50})");
  CHECK(t.depends_on == std::vector<std::string>{"t0", "t9"});
  CHECK(t.timeout == Duration::millis(1500));
  CHECK(t.metadata == Metadata{{"k", "v"}, {"a", ""}});
  CHECK(t.user == "ann");
  CHECK(t.correlation_id == "corr");
  CHECK(t.traceparent == "00-t-s-01");
}

TEST_CASE("what a line does not say") {
  Task t = ok(parse(R"({"agent":"a1"})"))[0];
  CHECK(t.payload == "{}");
  CHECK(t.priority == Priority::normal);
  CHECK(t.timeout.ns == 0);
  CHECK(t.depends_on.empty());
  CHECK(t.id == derived_id(k_request, 1));
}

TEST_CASE("a payload is kept as it was written") {
  for (const char* payload :
       {"null", "true", "12345678901234567890123", "-0.10e+5", R"("\u00e9\n")", "[1, 2,\t3]", "[]",
        R"({"a":{"payload":1},"a":2})"}) {
    CAPTURE(payload);
    CHECK(ok(parse(line(R"("payload": )" + std::string(payload) + " ")))[0].payload == payload);
  }
  CHECK(ok(parse(R"({"agent":"a1","p\u0061yload":7})"))[0].payload == "7");
}

TEST_CASE("empty lines are skipped and counted") {
  std::vector<Task> tasks = ok(parse("\n  \t\r\n{\"agent\":\"a1\"}\r\n\n{\"agent\":\"a2\"}", 10));
  REQUIRE(tasks.size() == 2);
  CHECK(tasks[0].id == derived_id(k_request, 12));
  CHECK(tasks[1].id == derived_id(k_request, 14));
  CHECK(ok(parse("")).empty());
  CHECK(ok(parse("\n\n")).empty());
}

TEST_CASE("an error names its line") {
  Result<std::vector<Task>> tasks =
      parse("{\"agent\":\"a1\"}\n\n{\"agent\":\"a1\",\"prioritee\":1}");
  CHECK(refusal(tasks) == "line 3: unknown field 'prioritee'");
  CHECK(tasks.error().code == ErrorCode::usage);
  CHECK(tasks.error().hint ==
        "known fields: agent payload id idempotency_key type priority depends_on after "
        "timeout_seconds no_progress_timeout_seconds queue_ttl_seconds deadline start_at retries "
        "backoff retry_on slots share exclusive group require metadata");
  CHECK(refusal(parse("x", 41)) == "line 41: invalid JSON at 1:1: Invalid value");
}

TEST_CASE("refusals of a line") {
  auto [text, why] = GENERATE(table<std::string, std::string>({
      {"[]", "not a JSON object"},
      {"7", "not a JSON object"},
      {"{}", "field 'agent' is missing"},
      {R"({"agent":7})", "field 'agent' must be a string"},
      {R"({"agent":""})", "invalid agent id ''"},
      {R"({"agent":"../x"})", "invalid agent id '../x'"},
      {R"({"agent":"a/b"})", "invalid agent id 'a/b'"},
      {R"({"agent":"a1","agent":"a1"})", "field 'agent' twice"},
      {line(R"("payload":1,"payload":1)"), "field 'payload' twice"},
      {line(R"("id":"")"), "invalid task id ''"},
      {line(R"("id":"/tmp/x")"), "invalid task id '/tmp/x'"},
      {line(R"("id":7)"), "field 'id' must be a string"},
      {line(R"("id":"a\u0000")"), "invalid task id 'a?'"},
      {line(R"("type":7)"), "field 'type' must be a string"},
      {line(R"("type":"a\u0000")"), "type must have at most 128 bytes and no NUL"},
      {line(R"("type":)" + quoted(129)), "type must have at most 128 bytes and no NUL"},
      {line(R"("priority":"urgent")"), "unknown priority 'urgent'"},
      {line(R"("priority":1)"), "field 'priority' must be a string"},
      {line(R"("depends_on":"t1")"), "field 'depends_on' must be an array of task ids"},
      {line(R"("depends_on":[1])"), "field 'depends_on' must be an array of task ids"},
      {line(R"("depends_on":["a b"])"), "invalid task id in depends_on 'a b'"},
      {line(R"("timeout_seconds":"1")"), "field 'timeout_seconds' must be a number"},
      {line(R"("timeout_seconds":0)"), "timeout_seconds must be more than 0 and at most 1e9"},
      {line(R"("timeout_seconds":-1)"), "timeout_seconds must be more than 0 and at most 1e9"},
      {line(R"("timeout_seconds":1e10)"), "timeout_seconds must be more than 0 and at most 1e9"},
      {line(R"("metadata":[])"), "field 'metadata' must be an object of strings"},
      {line(R"("metadata":{"a":1})"), "field 'metadata' must be an object of strings"},
      {line(R"("metadata":{"":"a"})"), "metadata has an empty key"},
      {line(R"("metadata":{"a":"1","a":"1"})"), "metadata has the key 'a' twice"},
      {line(R"("metadata":{"a":)" + quoted(16384) + "}"), "metadata is larger than 16384 bytes"},
      {line(R"("payload":)" + quoted(k_max_payload - 1)), "payload is larger than 1048576 bytes"},
      {R"({"agent":"a1"} {})",
       "invalid JSON at 1:16: The document root must not be followed by other values"},
  }));
  CAPTURE(text.substr(0, 100));
  CHECK(refusal(parse(text)) == "line 1: " + why);
}

TEST_CASE("what is just allowed") {
  CHECK(ok(parse(line(R"("type":)" + quoted(128)))).size() == 1);
  CHECK(ok(parse(line(R"("id":)" + quoted(64)))).size() == 1);
  CHECK(ok(parse(line(R"("timeout_seconds":1e9)")))[0].timeout == Duration::seconds(1000000000));
  CHECK(ok(parse(line(R"("timeout_seconds":1e-300)")))[0].timeout == Duration::nanoseconds(1));
  CHECK(ok(parse(line(R"("metadata":{"a":)" + quoted(16383) + "}"))).size() == 1);
  CHECK(ok(parse(line(R"("payload":)" + quoted(k_max_payload - 2)))).size() == 1);
}

TEST_CASE("counts have limits") {
  auto entries = [](size_t n, bool names) {
    std::string text;
    for (size_t i = 0; i < n; ++i)
      text += (i > 0 ? ",\"k" : "\"k") + std::to_string(i) + (names ? "\":\"\"" : "\"");
    return text;
  };
  CHECK(ok(parse(line("\"metadata\":{" + entries(64, true) + "}"))).size() == 1);
  CHECK(refusal(parse(line("\"metadata\":{" + entries(65, true) + "}"))) ==
        "line 1: metadata has more than 64 entries");
  CHECK(ok(parse(line("\"depends_on\":[" + entries(1024, false) + "]"))).size() == 1);
  CHECK(refusal(parse(line("\"depends_on\":[" + entries(1025, false) + "]"))) ==
        "line 1: depends_on has more than 1024 entries");
  std::string lines;
  for (size_t i = 0; i < k_max_batch; ++i) lines += "{\"agent\":\"a\"}\n";
  CHECK(ok(parse(lines)).size() == k_max_batch);
  CHECK(refusal(parse(lines + "{\"agent\":\"a\"}")) == "more than 100000 tasks in one transaction");
}

TEST_CASE("derived ids are ids, all different, in order, and the same each time") {
  for (const std::string& request :
       {k_request, std::string("01890a5d-ac96-774b-bcce-0000fffffff0"), make_uuid7()}) {
    std::string before = request;
    for (uint64_t n = 1; n <= 100000; ++n) {
      std::string id = derived_id(request, n);
      if (id <= before || id.size() != request.size()) FAIL(before << " then " << id);
      before = std::move(id);
    }
    CHECK(is_valid_id(before));
    CHECK(derived_id(request, 100000) == before);
  }
  CHECK(derived_id("01890a5d-ac96-774b-bcce-b302099a80ff", 1) ==
        "01890a5d-ac96-774b-bcce-b302099a8100");
  // Carries stay in the last group.
  CHECK(derived_id("01890a5d-ac96-774b-bcce-ffffffffffff", 1) ==
        "01890a5d-ac96-774b-bcce-000000000000");
}

TEST_CASE("a request with a name of its own") {
  CHECK(derived_id("nightly", 7) == "nightly.7");
  CHECK(derived_id("01890A5D-AC96-774B-BCCE-B302099A8057", 7) ==
        "01890A5D-AC96-774B-BCCE-B302099A8057.7");
  TaskLineContext context{std::string(63, 'x'), 1, "", "", ""};
  CHECK_THAT(refusal(parse_task_lines("{\"agent\":\"a\"}", context)),
             Catch::StartsWith("invalid task id from request"));
}
