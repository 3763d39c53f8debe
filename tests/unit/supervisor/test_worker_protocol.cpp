// SPDX-License-Identifier: Apache-2.0
// What is said to a worker and what is understood of its answers.
#include "base/json.hpp"
#include "supervisor/worker_protocol.hpp"
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

template <class T>
T decoded(std::string_view line) {
  worker::Message message = ok(worker::decode(line));
  REQUIRE(std::holds_alternative<T>(message));
  return std::get<T>(message);
}

}  // namespace

TEST_CASE("a task as a worker gets it") {
  Task task = task_for("a1", "t1");
  task.attempt_id = 18446744073709551615U;
  task.attempt = 2;
  task.type = "review \"x\"";
  task.metadata = {{"k", "v"}};
  task.correlation_id = "corr";
  task.traceparent = "00-t-s-01";
  task.timeout = Duration::millis(1500);
  task.payload = "{\r\n  \"n\": 1.50\n}";
  std::string line = worker::run_request(task);
  CHECK(line.find('\n') == std::string::npos);
  CHECK(line == R"({"jsonrpc":"2.0","id":"18446744073709551615","method":"task/run","params":{)"
                R"("task_id":"t1","type":"review \"x\"","attempt":2,"correlation_id":"corr",)"
                R"("traceparent":"00-t-s-01","timeout_seconds":1.5,"metadata":{"k":"v"},)"
                R"("payload":{    "n": 1.50 }}})");
  REQUIRE(json::validate(line));
  task.timeout = {};
  CHECK(worker::run_request(task).find("timeout_seconds") == std::string::npos);
}

TEST_CASE("notifications to a worker") {
  Task task = task_for("a1", "t1");
  task.attempt_id = 9;
  CHECK(worker::cancel_notification(task) ==
        R"({"jsonrpc":"2.0","method":"task/cancel","params":{"id":"9","task_id":"t1"}})");
  CHECK(worker::shutdown_notification() == R"({"jsonrpc":"2.0","method":"shutdown"})");
}

TEST_CASE("a result is kept as it was written") {
  for (const char* result : {"null", "\"x\"", "1.50", "{\"a\": [1, 2]}", "[]", "\"\\u00e9\""}) {
    CAPTURE(result);
    auto done = decoded<worker::Completed>(R"({"jsonrpc":"2.0","id":"7","result": )" +
                                           std::string(result) + " }");
    CHECK(done.attempt_id == 7);
    CHECK(done.result == result);
  }
  // Order of members, and libraries that always write both.
  CHECK(decoded<worker::Completed>(R"({"result":1,"error":null,"id":"7"})").result == "1");
}

TEST_CASE("an error") {
  auto failed =
      decoded<worker::Failed>(R"({"id":"7","error":{"code":-32000,"message":"no","data":1}})");
  CHECK(failed.attempt_id == 7);
  CHECK(failed.code == -32000);
  CHECK(failed.message == "no");
  CHECK(decoded<worker::Failed>(R"({"id":"7","error":{"message":""}})").code == 0);
}

TEST_CASE("a heartbeat") {
  decoded<worker::Heartbeat>(R"({"jsonrpc":"2.0","method":"heartbeat"})");
  decoded<worker::Heartbeat>(R"({"method":"heartbeat","params":{"any":"thing"}})");
}

TEST_CASE("usage") {
  auto report = decoded<worker::UsageReport>(
      R"({"method":"usage","params":{"attempt":"7","requests":1,"input_tokens":1000,)"
      R"("output_tokens":18446744073709551615,"cost_usd":0.012345}})");
  CHECK(report.attempt_id == 7);
  CHECK(report.usage.requests == 1);
  CHECK(report.usage.input_tokens == 1000);
  CHECK(report.usage.output_tokens == UINT64_MAX);
  CHECK(report.usage.cost_microusd == 12345);
  report = decoded<worker::UsageReport>(R"({"method":"usage","params":{}})");
  CHECK(report.attempt_id == 0);
  CHECK(report.usage == Usage{});
}

TEST_CASE("a log line") {
  auto line = decoded<worker::LogLine>(
      R"({"method":"log","params":{"attempt":"7","level":"warn","message":"a\nb"}})");
  CHECK(line.attempt_id == 7);
  CHECK(line.level == "warn");
  CHECK(line.text == "a\nb");
  line = decoded<worker::LogLine>(R"({"method":"log","params":{"message":"x"}})");
  CHECK(line.attempt_id == 0);
  CHECK(line.level == "info");
}

TEST_CASE("what a worker may not say") {
  auto [line, why] = GENERATE(table<std::string, std::string>({
      {"", "invalid JSON"},
      {"Loading model...", "invalid JSON"},
      {"{\"id\":\"7\",\"result\":", "invalid JSON"},
      {"[]", "not an object"},
      {"7", "not an object"},
      {"{}", "neither a method nor an id"},
      {R"({"id":7,"result":1})", "'id' must be the string given with task/run"},
      {R"({"id":null,"result":1})", "'id' must be the string given with task/run"},
      {R"({"id":"","result":1})", "'id' is not one that was given with task/run"},
      {R"({"id":"0","result":1})", "'id' is not one that was given with task/run"},
      {R"({"id":"-1","result":1})", "'id' is not one that was given with task/run"},
      {R"({"id":"7x","result":1})", "'id' is not one that was given with task/run"},
      {R"({"id":" 7","result":1})", "'id' is not one that was given with task/run"},
      {R"({"id":"18446744073709551616","result":1})",
       "'id' is not one that was given with task/run"},
      {R"({"id":"7"})", "neither result nor error"},
      {R"({"id":"7","error":null})", "neither result nor error"},
      {R"({"id":"7","error":7})", "error without a message"},
      {R"({"id":"7","error":{"message":7}})", "error without a message"},
      {R"({"method":7})", "'method' must be a string"},
      {R"({"method":"task/run"})", "unknown method 'task/run'"},
      {R"({"method":"usage"})", "usage without params"},
      {R"({"method":"usage","params":[]})", "usage without params"},
      {R"({"method":"usage","params":{"attempt":7}})", "'attempt' must be the id given"},
      {R"({"method":"usage","params":{"attempt":"x"}})", "'id' is not one that was given"},
      {R"({"method":"usage","params":{"requests":-1}})", "'requests' must be a whole number"},
      {R"({"method":"usage","params":{"requests":1.5}})", "'requests' must be a whole number"},
      {R"({"method":"usage","params":{"requests":"1"}})", "'requests' must be a whole number"},
      {R"({"method":"usage","params":{"cost_usd":-0.1}})", "'cost_usd' must be between 0 and 1e9"},
      {R"({"method":"usage","params":{"cost_usd":1e10}})", "'cost_usd' must be between 0 and 1e9"},
      {R"({"method":"usage","params":{"cost_usd":"1"}})", "'cost_usd' must be between 0 and 1e9"},
      {R"({"method":"log"})", "log without a message"},
      {R"({"method":"log","params":{"message":7}})", "log without a message"},
      {R"({"method":"log","params":[]})", "log without a message"},
  }));
  CAPTURE(line);
  Result<worker::Message> message = worker::decode(line);
  REQUIRE_FALSE(message);
  CHECK_THAT(message.error().message, Catch::Contains(why));
}
