// SPDX-License-Identifier: Apache-2.0
// Agents in a real store: registered, moved through their states, gone.
#include "lifecycle/lifecycle_manager.hpp"
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

class Agents {
 public:
  Agents() : store_(ok(store::Store::open(dir_.path() + "/store", store::Store::Mode::create))) {}

  WallTime now{1700000000000000};
  template <class Work>
  auto in_txn(Work work) {
    store::WriteTxn txn = ok(store_.write());
    LifecycleManager manager(txn, now);
    auto result = work(manager);
    if (result) ok(txn.commit());
    return result;
  }
  Result<Agent> spawn(const std::string& id, const std::string& model = "") {
    AgentDefinition definition;
    definition.id = id;
    definition.command = {"true"};
    definition.model = model;
    return in_txn([&](LifecycleManager& m) { return m.spawn(definition); });
  }
  Result<Agent> ready(const std::string& id) {
    return in_txn([&](LifecycleManager& m) { return m.sandbox_ready(id, 42, 4242, "boot"); });
  }
  Result<Agent> start_again(const std::string& id, bool after_a_loss = true) {
    return in_txn([&](LifecycleManager& m) { return m.start_again(id, after_a_loss); });
  }
  Result<Agent> change(const std::string& id, AgentEvent event, const std::string& detail = "") {
    return in_txn([&](LifecycleManager& m) { return m.change(id, event, detail); });
  }
  Status remove(const std::string& id) {
    return in_txn([&](LifecycleManager& m) { return m.remove(id); });
  }
  std::optional<Agent> find(const std::string& id) { return ok(ok(store_.read()).find_agent(id)); }
  std::vector<Agent> all() { return ok(ok(store_.read()).list_agents()); }

 private:
  TempDir dir_;
  store::Store store_;
};

}  // namespace

TEST_CASE("a spawned agent is starting, with a name for its cgroup") {
  Agents agents;
  Agent a = ok(agents.spawn("a1"));
  CHECK(a.state == AgentState::starting);
  CHECK(a.number != 0);
  CHECK(a.generation != 0);
  CHECK(a.cgroup == "a" + std::to_string(a.number) + "-" + std::to_string(a.generation));
  CHECK(a.spawned_at == agents.now);
  CHECK_FALSE(a.started_at.set());
  Agent stored = *agents.find("a1");
  CHECK(stored.cgroup == a.cgroup);
  CHECK(stored.generation == a.generation);
}

TEST_CASE("an id is taken once") {
  Agents agents;
  ok(agents.spawn("a1"));
  CHECK(refusal(agents.spawn("a1")) == "agent a1 already exists");
  CHECK(agents.all().size() == 1);
}

TEST_CASE("ids that are no ids") {
  Agents agents;
  for (const std::string& id :
       {std::string("../x"), std::string("/tmp/x"), std::string("a/b"), std::string(""),
        std::string(300, 'x'), std::string(".a"), std::string("-a")}) {
    Result<Agent> made = agents.spawn(id);
    CHECK_THAT(refusal(made), Catch::StartsWith("invalid agent id"));
    CHECK(made.error().code == ErrorCode::usage);
  }
  CHECK(agents.all().empty());
}

TEST_CASE("its sandbox is ready") {
  Agents agents;
  ok(agents.spawn("a1"));
  agents.now = agents.now + Duration::seconds(1);
  ok(agents.ready("a1"));
  Agent a = *agents.find("a1");
  CHECK(a.state == AgentState::ready);
  CHECK(a.health == Health::healthy);
  CHECK(a.pid == 42);
  CHECK(a.pid_start_time == 4242);
  CHECK(a.boot_id == "boot");
  CHECK(a.started_at == agents.now);
  CHECK(refusal(agents.ready("a1")) == "agent a1 is ready: no sandbox_ready from there");
}

TEST_CASE("a new sandbox has a new generation and nothing of the old one") {
  Agents agents;
  Agent first = ok(agents.spawn("a1"));
  ok(agents.ready("a1"));
  Agent again = ok(agents.start_again("a1"));
  CHECK(again.state == AgentState::starting);
  CHECK(again.restarts == 1);
  CHECK(again.generation > first.generation);
  CHECK(again.cgroup != first.cgroup);
  CHECK(again.number == first.number);
  CHECK(again.pid == 0);
  CHECK(again.boot_id.empty());
  CHECK(again.health == Health::unknown);
  CHECK(ok(agents.start_again("a1", false)).restarts == 1);
}

TEST_CASE("given up, and started again by the next supervisor") {
  Agents agents;
  ok(agents.spawn("a1"));
  ok(agents.ready("a1"));
  Agent a = ok(agents.change("a1", AgentEvent::give_up, "it died again and again"));
  CHECK(a.state == AgentState::failed);
  CHECK(a.health == Health::unhealthy);
  CHECK(a.detail == "it died again and again");
  CHECK(a.pid == 0);
  a = ok(agents.start_again("a1", false));
  CHECK(a.state == AgentState::starting);
  CHECK(a.detail.empty());
}

TEST_CASE("down and up again") {
  Agents agents;
  ok(agents.spawn("a1"));
  ok(agents.ready("a1"));
  Agent a = ok(agents.change("a1", AgentEvent::down));
  CHECK(a.state == AgentState::stopped);
  CHECK(a.health == Health::unknown);
  CHECK(a.pid == 0);
  CHECK(ok(agents.start_again("a1", false)).state == AgentState::starting);
}

TEST_CASE("a stopping agent does not start again") {
  Agents agents;
  ok(agents.spawn("a1"));
  ok(agents.ready("a1"));
  Agent a = ok(agents.change("a1", AgentEvent::terminate));
  CHECK(a.state == AgentState::stopping);
  CHECK(a.pid == 42);  // still needed to find and end its sandbox
  CHECK(refusal(agents.start_again("a1")) == "agent a1 is stopping: no start from there");
  CHECK(agents.find("a1")->generation == a.generation);
  CHECK(agents.find("a1")->restarts == 0);
  ok(agents.remove("a1"));
  CHECK_FALSE(agents.find("a1"));
}

TEST_CASE("an id can be used again after its agent is gone; its number cannot") {
  Agents agents;
  uint32_t number = ok(agents.spawn("a1")).number;
  ok(agents.remove("a1"));
  CHECK(ok(agents.spawn("a1")).number > number);
}

TEST_CASE("an unknown agent") {
  Agents agents;
  for (const std::string& message :
       {refusal(agents.ready("ghost")), refusal(agents.start_again("ghost")),
        refusal(agents.change("ghost", AgentEvent::terminate)), refusal(agents.remove("ghost"))})
    CHECK(message == "agent ghost not found");
  CHECK(agents.remove("ghost").error().code == ErrorCode::not_found);
}

TEST_CASE("agents by model, state and health") {
  Agents agents;
  CHECK(LifecycleManager::list_agents(agents.all(), {}).empty());
  for (int i = 1; i <= 5; ++i)
    ok(agents.spawn("a" + std::to_string(i), i % 2 == 0 ? "gpt-4" : "opus"));
  ok(agents.ready("a1"));
  ok(agents.ready("a2"));
  ok(agents.change("a2", AgentEvent::give_up, ""));
  auto ids = [&](const AgentFilters& filters) {
    std::string text;
    for (const Agent& a : LifecycleManager::list_agents(agents.all(), filters))
      text += a.definition.id;
    return text;
  };
  CHECK(ids({}) == "a1a2a3a4a5");
  CHECK(ids({"gpt-4", {}, {}}) == "a2a4");
  CHECK(ids({"", AgentState::ready, {}}) == "a1");
  CHECK(ids({"", {}, Health::unhealthy}) == "a2");
  CHECK(ids({"opus", AgentState::failed, {}}).empty());
}
