// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/store/helpers.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

TEST_CASE("every field of an agent is kept") {
  TempDir dir;
  Store store = create(dir);
  Agent agent = agent_named("coder");
  AgentDefinition& d = agent.definition;
  d.kind = AgentKind::worker;
  d.model = "some/model";
  d.tools = {"read", "write"};
  d.isolation = IsolationLevel::container;
  d.limits = {1, 2, 3};
  d.user = "ann";
  d.labels = {{"team", "x"}};
  d.env = {{"B", "2"}, {"A", ""}};
  d.max_concurrent_tasks = 4;
  d.timeout = Duration::seconds(5);
  d.grace = Duration::millis(6);
  d.max_output_bytes = 7;
  agent.state = AgentState::failed;
  agent.health = Health::unhealthy;
  agent.detail = "why";
  agent.generation = 8;
  agent.pid = 9;
  agent.pid_start_time = 10;
  agent.boot_id = "boot";
  agent.cgroup = "/x";
  agent.spawned_at.us = 11;
  agent.started_at.us = 12;
  agent.last_heartbeat_at.us = 13;
  agent.restarts = 14;
  WriteTxn txn = ok(store.write());
  ok(txn.save_agent(agent));
  ok(txn.commit());
  ReadTxn reader = ok(store.read());
  const Agent read = *ok(reader.find_agent("coder"));
  const AgentDefinition& r = read.definition;
  CHECK(r.kind == d.kind);
  CHECK(r.command == d.command);
  CHECK(r.model == d.model);
  CHECK(r.tools == d.tools);
  CHECK(r.isolation == d.isolation);
  CHECK(r.limits == d.limits);
  CHECK(r.user == d.user);
  CHECK(r.labels == d.labels);
  CHECK(r.env == d.env);
  CHECK(r.max_concurrent_tasks == 4);
  CHECK(r.timeout == d.timeout);
  CHECK(r.grace == d.grace);
  CHECK(r.max_output_bytes == 7);
  CHECK(read.number == 1);
  CHECK(read.state == agent.state);
  CHECK(read.health == agent.health);
  CHECK(read.detail == "why");
  CHECK(read.generation == 8);
  CHECK(read.pid == 9);
  CHECK(read.pid_start_time == 10);
  CHECK(read.boot_id == "boot");
  CHECK(read.cgroup == "/x");
  CHECK(read.spawned_at.us == 11);
  CHECK(read.started_at.us == 12);
  CHECK(read.last_heartbeat_at.us == 13);
  CHECK(read.restarts == 14);
}

TEST_CASE("numbers of agents are never given again, and tasks keep theirs") {
  TempDir dir;
  Store store = create(dir);
  add_agent(store, "a");
  {
    WriteTxn txn = ok(store.write());
    add_task(txn, task_of("a", "old"));
    ok(txn.remove_agent("a"));
    CHECK(!txn.remove_agent("a"));
    Task stray = task_of("a", "stray");
    CHECK(!txn.add_task(stray, {}));
    Agent again = agent_named("a");
    ok(txn.save_agent(again));
    CHECK(again.number == 2);
    add_task(txn, task_of("a", "new"));
    ok(txn.commit());
  }
  require_clean(store);
  ReadTxn reader = ok(store.read());
  CHECK(ok(reader.pending_tasks(1, 9)) == std::vector<uint64_t>{1});
  CHECK(ok(reader.pending_tasks(2, 9)) == std::vector<uint64_t>{2});
  CHECK(ok(reader.counts(1)).pending == 1);
  CHECK(ok(reader.counts(2)).pending == 1);
  CHECK(ok(reader.counts()).pending == 2);
}

TEST_CASE("an agent is saved under its own name and number only") {
  TempDir dir;
  Store store = create(dir);
  add_agent(store, "b");
  add_agent(store, "a");
  WriteTxn txn = ok(store.write());
  Agent twice = agent_named("a");
  CHECK(!txn.save_agent(twice));
  Agent wrong = agent_named("a");
  wrong.number = 1;
  CHECK(!txn.save_agent(wrong));
  Agent gone = agent_named("c");
  gone.number = 3;
  CHECK(!txn.save_agent(gone));
  Agent odd = agent_named("-x");
  CHECK(!txn.save_agent(odd));
  std::vector<std::string> ids;
  for (const Agent& agent : ok(txn.list_agents())) ids.push_back(agent.definition.id);
  CHECK(ids == std::vector<std::string>{"a", "b"});
}

TEST_CASE("unique numbers and the supervisor are kept") {
  TempDir dir;
  {
    Store store = create(dir);
    WriteTxn txn = ok(store.write());
    CHECK(ok(txn.supervisor()).pid == 0);
    CHECK(ok(txn.next_unique()) == 1);
    CHECK(ok(txn.next_unique()) == 2);
    ok(txn.save_supervisor({5, 6, "boot", WallTime{7}, "0.1.0", "load"}));
    ok(txn.commit());
  }
  Store store = ok(Store::open(dir.store(), Store::Mode::write));
  WriteTxn txn = ok(store.write());
  CHECK(ok(txn.next_unique()) == 3);
  const SupervisorRecord supervisor = ok(txn.supervisor());
  CHECK(supervisor.pid == 5);
  CHECK(supervisor.pid_start_time == 6);
  CHECK(supervisor.boot_id == "boot");
  CHECK(supervisor.since.us == 7);
  CHECK(supervisor.version == "0.1.0");
}
