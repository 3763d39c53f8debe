// SPDX-License-Identifier: Apache-2.0
#include "store/tables.hpp"
#include "tests/unit/store/helpers.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

namespace {

Violation violation(uint32_t agent, const std::string& what) {
  Violation v;
  v.agent_number = agent;
  v.at.us = v.last_at.us = 1764000000000000;
  v.agent = "a" + std::to_string(agent);
  v.task = "t";
  v.attempt_id = 7;
  v.pid = 12;
  v.process = "sh";
  v.kind = ViolationKind::connect;
  v.what = what;
  v.rule = "not listed";
  v.allow = "isolation.egress = [\"a.example\"]";
  v.source = ViolationSource::egress;
  v.hint = true;
  return v;
}

void spawn(WriteTxn& txn, const std::string& id) {
  Agent agent;
  agent.definition.id = id;
  agent.definition.command = {"true"};
  REQUIRE(txn.save_agent(agent));
}

}  // namespace

TEST_CASE("violations come back as they were put, by agent and in order") {
  TempDir dir;
  Store store = create(dir);
  WriteTxn txn = ok(store.write());
  spawn(txn, "a");
  spawn(txn, "b");
  for (const char* what : {"x", "y"})
    for (uint32_t agent : {1U, 2U}) {
      Violation v = violation(agent, what);
      REQUIRE(txn.add_violation(v));
    }
  Violation more = violation(1, "y");
  more.sequence = 2;
  more.count = 5;
  REQUIRE(txn.save_violation(more));
  REQUIRE(txn.commit());
  const ReadTxn read = ok(store.read());
  CHECK(ok(read.agents_with_violations()) == std::vector<uint32_t>{1, 2});
  const auto all = ok(read.violations(1, 0));
  REQUIRE(all.size() == 2);
  CHECK(all[0].what == "x");
  CHECK(all[1].what == "y");
  CHECK(all[1].count == 5);
  CHECK(all[1].sequence == 2);
  const Violation was = violation(1, "x");
  CHECK(same_violation(all[0], was));
  CHECK(all[0].allow == was.allow);
  CHECK(all[0].pid == 12);
  CHECK(all[0].hint);
  CHECK(all[0].agent == "a1");
  CHECK(ok(read.violations(1, 1)).size() == 1);
  CHECK(ok(read.violations(3, 0)).empty());
  CHECK(ok(store.check()).problems.empty());
}

TEST_CASE("violations are bounded: of an agent, and of all") {
  TempDir dir;
  Store store = create(dir);
  WriteTxn txn = ok(store.write());
  for (uint32_t agent = 1; agent <= 22; ++agent) {
    spawn(txn, "a" + std::to_string(agent));
    for (int i = 0; i < 1010; ++i) {
      Violation v = violation(agent, std::to_string(i));
      REQUIRE(txn.add_violation(v));
    }
  }
  CHECK(ok(txn.violations(22, 0)).size() == k_violations_per_agent);
  CHECK(ok(txn.violations(22, 0)).front().what == "10");
  CHECK(ok(txn.violations(1, 0)).empty());  // the first agents made room
  uint64_t all = 0;
  for (uint32_t agent : ok(txn.agents_with_violations()))
    all += ok(txn.violations(agent, 0)).size();
  CHECK(all == k_violations);
  REQUIRE(txn.commit());
  CHECK(ok(store.check()).problems.empty());
}
