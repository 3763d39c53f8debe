// SPDX-License-Identifier: Apache-2.0
// Control messages there and back, and what strangers may send.
#include "supervisor/control_protocol.hpp"
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

json::Document parsed(const std::string& text) { return ok(json::parse(text)); }

Result<AgentDefinition> definition_from(const std::string& text) {
  json::Document document = parsed(text);
  return control::decode_definition(&document);
}

AgentDefinition full_definition() {
  AgentDefinition d;
  d.id = "coder";
  d.kind = AgentKind::worker;
  d.command = {"python3", "-u", "{payload.script}", ""};
  d.model = "opus";
  d.tools = {"git", "make"};
  d.isolation = IsolationLevel::container;
  d.limits = {uint64_t{1} << 40, 2500, 77};
  d.user = "ann \"\n\xc3\xa4";
  d.labels = {{"team", "x"}, {"a", ""}};
  d.env = {{"HOME", "/x"}, {"EMPTY", ""}};
  d.max_concurrent_tasks = 1024;
  d.timeout = Duration::seconds(90);
  d.grace = Duration{};
  d.max_output_bytes = INT64_MAX;
  return d;
}

// The encoded definition with one member replaced.
std::string with(const std::string& member, const std::string& value) {
  const json::Document document = parsed(control::encode(full_definition()));
  json::Writer w;
  w.begin_object();
  for (const auto& m : document.GetObject()) {
    std::string name(json::text_of(m.name));
    w.key(name).raw(name == member ? value : json::to_text(m.value));
  }
  w.end_object();
  return w.take();
}

}  // namespace

TEST_CASE("a call there and back is one line") {
  std::string line = control::encode_call(7, "cancel", R"({"id":"t1"})");
  CHECK(line ==
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"cancel\",\"params\":{\"id\":\"t1\"}}\n");
  line.pop_back();
  control::Call call = ok(control::decode_call(line));
  CHECK(call.id == 7);
  CHECK(call.method == "cancel");
  CHECK(ok(control::decode_id(call.params())) == "t1");
}

TEST_CASE("calls that are none") {
  auto [line, why] = GENERATE(table<std::string, std::string>({
      {"", "invalid JSON"},
      {"x", "invalid JSON"},
      {"[]", "not an object"},
      {"null", "not an object"},
      {R"({"method":"x"})", "'id' must be an integer in range"},
      {R"({"id":"1","method":"x"})", "'id' must be an integer in range"},
      {R"({"id":-1,"method":"x"})", "'id' must be an integer in range"},
      {R"({"id":1.5,"method":"x"})", "'id' must be an integer in range"},
      {R"({"id":9223372036854775808,"method":"x"})", "'id' must be an integer in range"},
      {R"({"id":1})", "'method' must be a string"},
      {R"({"id":1,"method":7})", "'method' must be a string"},
      {R"({"id":1,"method":"x","params":[]})", "'params' must be an object"},
      {R"({"id":1,"method":"x","params":null})", "'params' must be an object"},
  }));
  CAPTURE(line);
  Result<control::Call> call = control::decode_call(line);
  REQUIRE_FALSE(call);
  CHECK_THAT(call.error().message, Catch::Contains(why));
  CHECK(call.error().code == ErrorCode::usage);
}

TEST_CASE("deep nesting is refused, not followed") {
  std::string deep = R"({"id":1,"method":"x","params":)" + std::string(1000000, '[');
  CHECK_FALSE(control::decode_call(deep));
}

TEST_CASE("a call without params") {
  control::Call call = ok(control::decode_call(R"({"id":0,"method":"down"})"));
  CHECK(call.params() == nullptr);
  CHECK_FALSE(control::decode_id(call.params()));
  CHECK_FALSE(control::decode_submission(call.params()));
  CHECK_FALSE(control::decode_definition(call.params()));
}

TEST_CASE("answers and errors there and back") {
  control::Answer answer = ok(control::decode_answer(3, control::encode_result(3, R"({"n":5})")));
  CHECK(control::count_of(answer.result(), "n") == 5);
  CHECK(control::count_of(answer.result(), "absent") == 0);
  CHECK(control::count_of(parsed(R"({"n":-5})"), "n") == 0);
  for (ErrorCode code : {ErrorCode::failed, ErrorCode::usage, ErrorCode::not_found,
                         ErrorCode::queue_full, ErrorCode::nothing_to_do, ErrorCode::interrupted}) {
    Error error{code, "it \"broke\"\nbadly", "do this"};
    Result<control::Answer> refused = control::decode_answer(3, control::encode_error(3, error));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == code);
    CHECK(refused.error().message == error.message);
    CHECK(refused.error().hint == error.hint);
  }
  std::string text = control::encode_error(1, {ErrorCode::failed, "a\nb", ""});
  CHECK(text.find('\n') == text.size() - 1);
}

TEST_CASE("answers that are none") {
  auto [line, why] = GENERATE(table<std::string, std::string>({
      {"x", "invalid JSON"},
      {"[]", "answer to another call"},
      {R"({"result":{}})", "answer to another call"},
      {R"({"id":4,"result":{}})", "answer to another call"},
      {R"({"id":3})", "no result"},
      {R"({"id":3,"error":{"code":2,"message":"m"}})", "m"},
      {R"({"id":3,"error":{"message":"m","data":7}})", "m"},
      {R"({"id":3,"error":7})", ""},
      {R"({"id":3,"error":{"code":99,"message":"odd"}})", "odd"},
  }));
  CAPTURE(line);
  Result<control::Answer> answer = control::decode_answer(3, line);
  REQUIRE_FALSE(answer);
  CHECK_THAT(answer.error().message, Catch::Contains(why));
  CHECK(static_cast<int>(answer.error().code) <= 2);
}

TEST_CASE("a submission there and back") {
  Submission s{"01890a5d-ac96-774b-bcce-b302099a8057",
               "{\"agent\":\"a\"}\n{\"agent\":\"\\u0000\"}\r\n\t\"\\",
               12345,
               "ann",
               "corr",
               "00-x-y-01"};
  json::Document document = parsed(control::encode(s));
  Submission back = ok(control::decode_submission(&document));
  CHECK(back.request_id == s.request_id);
  CHECK(back.lines == s.lines);
  CHECK(back.first_line == s.first_line);
  CHECK(back.user == s.user);
  CHECK(back.correlation_id == s.correlation_id);
  CHECK(back.traceparent == s.traceparent);
  s.request_id = "../x";
  document = parsed(control::encode(s));
  CHECK(refusal(control::decode_submission(&document)) == "invalid request id '../x'");
}

TEST_CASE("a submission lacks nothing") {
  json::Document full = parsed(control::encode(Submission{"r", "", 1, "", "", ""}));
  REQUIRE(control::decode_submission(&full));
  for (const char* member :
       {"request_id", "lines", "first_line", "user", "correlation_id", "traceparent"}) {
    CAPTURE(member);
    json::Document without = parsed(json::to_text(full));
    without.RemoveMember(member);
    CHECK_FALSE(control::decode_submission(&without));
    without.AddMember(rapidjson::StringRef(member), json::Value(rapidjson::kObjectType),
                      without.GetAllocator());
    CHECK_FALSE(control::decode_submission(&without));
  }
}

TEST_CASE("a reply to a submission there and back") {
  SubmitReply reply;
  reply.items = {{"t1", false, TaskState::pending, "a1"}, {"t2", true, TaskState::timed_out, "a2"}};
  SubmitReply back = ok(control::decode_submit_reply(parsed(control::encode(reply))));
  REQUIRE(back.items.size() == 2);
  CHECK(back.items[0].id == "t1");
  CHECK(back.items[1].existed);
  CHECK(back.items[1].state == TaskState::timed_out);
  CHECK(back.items[1].agent == "a2");
  CHECK(ok(control::decode_submit_reply(parsed(control::encode(SubmitReply{})))).items.empty());
  for (const char* bad : {"7", "{}", R"({"tasks":7})", R"({"tasks":[7]})", R"({"tasks":[{}]})",
                          R"({"tasks":[{"id":"a","agent":"b","state":"odd"}]})"})
    CHECK_FALSE(control::decode_submit_reply(parsed(bad)));
}

TEST_CASE("a definition there and back") {
  AgentDefinition d = full_definition();
  AgentDefinition back = ok(definition_from(control::encode(d)));
  CHECK(back.id == d.id);
  CHECK(back.kind == d.kind);
  CHECK(back.command == d.command);
  CHECK(back.model == d.model);
  CHECK(back.tools == d.tools);
  CHECK(back.isolation == d.isolation);
  CHECK(back.limits == d.limits);
  CHECK(back.user == d.user);
  CHECK(back.labels == d.labels);
  CHECK(back.env == d.env);
  CHECK(back.max_concurrent_tasks == d.max_concurrent_tasks);
  CHECK(back.timeout == d.timeout);
  CHECK(back.grace == d.grace);
  CHECK(back.max_output_bytes == d.max_output_bytes);
}

TEST_CASE("definitions that are none") {
  auto [member, value] = GENERATE(table<std::string, std::string>({
      {"id", R"("../x")"},
      {"id", "7"},
      {"kind", R"("daemon")"},
      {"command", "[]"},
      {"command", R"([""])"},
      {"command", R"(["{payload.x}"])"},
      {"command", R"(["a","{payload."])"},
      {"command", R"(["a\u0000b"])"},
      {"command", R"("sh")"},
      {"command", "[7]"},
      {"model", "null"},
      {"tools", R"([["x"]])"},
      {"isolation", R"("jail")"},
      {"memory_bytes", "-1"},
      {"memory_bytes", "1e3"},
      {"memory_bytes", "18446744073709551615"},
      {"cpu_millicores", "4096001"},
      {"pids", "2147483648"},
      {"user", "7"},
      {"labels", "[]"},
      {"labels", R"({"a":1})"},
      {"labels", R"({"a":"1","a":"2"})"},
      {"env", R"({"":"x"})"},
      {"env", R"({"A=B":"x"})"},
      {"env", R"({"A":"x\u0000y"})"},
      {"env", R"({"A\u0000B":"x"})"},
      {"max_concurrent_tasks", "0"},
      {"max_concurrent_tasks", "1025"},
      {"timeout_ns", "9223372036854775807"},
      {"grace_ns", "-1"},
      {"max_output_bytes", "-1"},
  }));
  CAPTURE(member, value);
  Result<AgentDefinition> definition = definition_from(with(member, value));
  REQUIRE_FALSE(definition);
  CHECK(definition.error().code == ErrorCode::usage);
}

TEST_CASE("a reply to a cancellation there and back") {
  CancelReply reply{TaskState::running, {"t2", "t3"}};
  CancelReply back = ok(control::decode_cancel_reply(parsed(control::encode(reply))));
  CHECK(back.was == TaskState::running);
  CHECK(back.also_cancelled == reply.also_cancelled);
  CHECK_FALSE(control::decode_cancel_reply(parsed("7")));
}

TEST_CASE("ids and counts") {
  json::Document document = parsed(control::encode_id("a1"));
  CHECK(ok(control::decode_id(&document)) == "a1");
  document = parsed(R"({"id":"a/b"})");
  CHECK_FALSE(control::decode_id(&document));
  CHECK(control::encode_counts({{"a", 1}, {"b", 0}}) == R"({"a":1,"b":0})");
}
