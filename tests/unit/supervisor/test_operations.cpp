// SPDX-License-Identifier: Apache-2.0
// The functions that a command and the supervisor share.
#include "supervisor/control_protocol.hpp"
#include "supervisor/operations.hpp"
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {
Submission submission(std::string lines) {
  return {"01890a5d-ac96-774b-bcce-b302099a8057", std::move(lines), 1, "ann", "corr", ""};
}
}  // namespace

TEST_CASE("a submission gets a trace of its own when it brings none") {
  Submission s = submission("{\"agent\":\"a1\"}\n{\"agent\":\"a1\"}");
  std::vector<Task> tasks = ok(operations::parse(s));
  CHECK(tasks[0].traceparent.size() == 55);
  CHECK_THAT(tasks[0].traceparent, Catch::StartsWith("00-") && Catch::EndsWith("-01"));
  CHECK(tasks[0].traceparent == tasks[1].traceparent);
  CHECK(ok(operations::parse(s))[0].traceparent != tasks[0].traceparent);
  s.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  CHECK(ok(operations::parse(s))[0].traceparent == s.traceparent);
}

TEST_CASE("the same request again makes the same tasks") {
  Queue q;
  Submission s = submission("{\"agent\":\"a1\"}\n\n{\"agent\":\"a1\",\"id\":\"mine\"}");
  auto submit = [&] {
    store::WriteTxn txn = ok(q.store().write());
    SubmitReply reply = ok(operations::submit(txn, ok(operations::parse(s)), q.now, q.rules));
    ok(txn.commit());
    return reply;
  };
  SubmitReply first = submit(), again = submit();
  REQUIRE(first.items.size() == 2);
  CHECK_FALSE(first.items[0].existed);
  CHECK(first.items[0].agent == "a1");
  CHECK(first.items[1].id == "mine");
  CHECK(again.items[0].id == first.items[0].id);
  CHECK(again.items[0].existed);
  CHECK(again.items[1].existed);
  CHECK(q.counts().total() == 2);
}

TEST_CASE("a cancellation says what it was and what went with it") {
  Queue q;
  ok(q.schedule(std::vector<Task>{task_for("a1", "t1"), task_for("a1", "t2", {"t1"})}));
  store::WriteTxn txn = ok(q.store().write());
  Dispatcher dispatcher({}, system_clock());
  operations::Context context{q.now, dispatcher, {}};
  const json::Document params = ok(json::parse(R"({"id": "t1"})"));
  const CancelReply reply = ok(control::decode_cancel_reply(
      ok(json::parse(ok(operations::perform("cancel", &params, txn, context))))));
  CHECK(reply.was == TaskState::pending);
  CHECK(reply.also_cancelled == std::vector<std::string>{"t2"});
  CHECK(context.to_stop.empty());
  CHECK_FALSE(operations::perform("cancel", &params, txn, context));
}

TEST_CASE("a parameter of another type is refused, and never read as an absent one") {
  Queue q;
  ok(q.schedule(task_for("a1", "t1")));
  Dispatcher dispatcher({}, system_clock());
  const auto refused = [&](std::string_view method, const std::string& text) {
    store::WriteTxn txn = ok(q.store().write());
    operations::Context context{q.now, dispatcher, {}};
    const json::Document params = ok(json::parse(text));
    const auto answer = operations::perform(method, &params, txn, context);
    INFO(method << " " << text);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == ErrorCode::usage);
    CHECK_THAT(answer.error().message, Catch::StartsWith("malformed call: "));
  };
  for (const char* filter :
       {R"({"agent":5})", R"({"state":null})", R"({"type":["x"]})", R"({"group":{}})",
        R"({"metadata":"k=v"})", R"({"metadata":{"k":1}})", R"({"agent":"a1","dry_run":"yes"})"})
    refused("cancel_matching", filter);
  refused("complete", R"({"id":"t1","lease":1,"error":{}})");
  refused("complete", R"({"id":"t1","lease":1,"result":7})");
  refused("complete", R"({"id":"t1","lease":"1","result":""})");
  refused("complete", R"({"id":"t1","lease":1,"error":"x","exit_code":0})");
  refused("complete", R"({"id":"t1","lease":1,"error":"x","exit_code":4294967297})");
  refused("collect", R"({"limit":1,"events":"1"})");
  refused("pause", R"({"kind":"share","name":7})");
  refused("change", R"({"id":"t1","payload":{"n":1}})");
  CHECK(q.get("t1").state == TaskState::pending);
}
