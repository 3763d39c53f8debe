// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "tests/unit/config/fixture.hpp"

using namespace fabric;
using namespace fabric::config;

namespace {

std::map<std::string, EffectiveValue> shown(const Workspace& w, const std::string& agent = "") {
  std::map<std::string, EffectiveValue> out;
  auto values = show(w, agent);
  if (!values) FAIL(values.error().message);
  for (const EffectiveValue& value : *values) out[value.key] = value;
  return out;
}

}  // namespace

TEST_CASE("without any setting the defaults hold") {
  const Fixture f;
  const Settings s = load_settings(f.workspace()).value();
  CHECK(s.orphan_grace == Duration::seconds(600));
  CHECK(s.stop_timeout == Duration::seconds(30));
  CHECK(s.max_lost_attempts == 3);
  CHECK(s.tenant_name.empty());
  CHECK(s.agent_defaults.limits == Limits{});
  for (const auto& [key, value] : shown(f.workspace())) CHECK(value.origin == "default");
}

TEST_CASE("each later layer wins, value by value") {
  const Fixture f;
  f.workspace();
  f.write("managed/fabric.toml",
          "[supervisor]\norphan_grace = \"1m\"\nstop_timeout = \"1s\"\n"
          "[agent.isolation]\nmemory_mb = 100\npids = 10\ncpu_cores = 2\n");
  f.write("acme/tenant.toml",
          "name = \"acme\"\n[supervisor]\norphan_grace = \"2m\"\n"
          "[agent.isolation]\nmemory_mb = 200\n[agent]\nmodel = \"m\"\n");
  f.write("acme/web/fabric.toml",
          "[agent]\nisolation = {memory_mb = 300}\ntools = [\"a\", \"b\"]\n");
  f.write("acme/web/agents/coder/agent.toml",
          "command = [\"run\"]\n[isolation]\nmemory_mb = \"none\"\n");
  const Workspace w = f.workspace();
  CHECK(w.tenant == f.at("acme"));

  const Settings s = load_settings(w).value();
  CHECK(s.tenant_name == "acme");
  CHECK(s.orphan_grace == Duration::seconds(120));
  CHECK(s.stop_timeout == Duration::seconds(1));
  CHECK(s.agent_defaults.limits == Limits{uint64_t{300} << 20, 2000, 10});
  CHECK(s.agent_defaults.model == "m");

  const AgentDefinition a = load_agent(w, "coder", {}).value();
  CHECK(a.id == "coder");
  CHECK(a.limits == Limits{0, 2000, 10});
  CHECK(a.tools == std::vector<std::string>{"a", "b"});

  auto values = shown(w, "coder");
  CHECK(values["agent.isolation.memory_mb"].value == "\"none\"");
  CHECK(values["agent.isolation.memory_mb"].origin == f.at("acme/web/agents/coder/agent.toml:3:1"));
  CHECK(values["agent.isolation.pids"].origin == f.at("managed/fabric.toml:6:1"));
  CHECK(values["agent.isolation.cpu_cores"].value == "2.0");
  CHECK(values["agent.tools"].value == R"(["a", "b"])");
  CHECK(values["agent.tools"].origin == f.at("acme/web/fabric.toml:3:1"));
  CHECK(values["agent.command"].value == R"(["run"])");
  CHECK(values["supervisor.orphan_grace"].origin == f.at("acme/tenant.toml:3:1"));
  CHECK(values["name"].value == "\"acme\"");
  CHECK(shown(w)["agent.isolation.memory_mb"].value == "300");
  CHECK(shown(w).count("agent.command") == 0);
}

TEST_CASE("values are shown in the order of their keys") {
  const Fixture f;
  const auto values = show(f.workspace(), "").value();
  REQUIRE(values.size() > 10);
  for (size_t i = 1; i < values.size(); ++i) CHECK(values[i - 1].key < values[i].key);
}

TEST_CASE("labels and env merge by key, in the order given") {
  const Fixture f;
  f.workspace();
  f.write("managed/fabric.toml",
          "[agent.env]\nA = \"1\"\nB = \"1\"\n[agent.labels]\nteam = \"x\"\n");
  f.write("acme/web/fabric.toml", "[agent]\nenv.B = \"2\"\nenv.C = \"\"\n");
  f.write("acme/web/agents/a/agent.toml",
          "command = [\"x\"]\n[env]\nC = \"3\"\n[labels]\n\"a b\" = \"y\"\n");
  const Workspace w = f.workspace();
  AgentFlags flags;
  flags.env = {{"D", "4"}, {"A", "9"}};
  flags.labels = {{"team", "z"}};
  const AgentDefinition a = load_agent(w, "a", flags).value();
  CHECK(a.env == Metadata{{"A", "9"}, {"B", "2"}, {"C", "3"}, {"D", "4"}});
  CHECK(a.labels == Metadata{{"team", "z"}, {"a b", "y"}});
  auto values = shown(w, "a");
  CHECK(values["agent.env.A"].origin == f.at("managed/fabric.toml:2:1"));
  CHECK(values["agent.env.B"].value == "\"2\"");
  CHECK(values["agent.env.B"].origin == f.at("acme/web/fabric.toml:2:5"));
  CHECK(values["agent.env.C"].origin == f.at("acme/web/agents/a/agent.toml:3:1"));
  CHECK(values["agent.labels.a b"].value == "\"y\"");
}

TEST_CASE("tables of numbers merge by key") {
  const Fixture f;
  f.workspace();
  f.write("managed/fabric.toml",
          "[scheduler]\nslots = {gpu = 1, licence = 2}\nweights = {low = 2}\n"
          "[scheduler.shares]\nalice = 3\n");
  f.write("acme/web/fabric.toml",
          "[scheduler]\nslots.gpu = 4\npools = {web = 4}\nweights.high = 20\n"
          "[scheduler.shares]\n\"b.c\" = 1000\n");
  const Workspace w = f.workspace();
  const SchedulerSettings s = load_settings(w).value().scheduler;
  CHECK(s.slots == NumberMap{{"gpu", 4}, {"licence", 2}});
  CHECK(s.pools == NumberMap{{"web", 4}});
  CHECK(s.shares == NumberMap{{"alice", 3}, {"b.c", 1000}});
  CHECK(s.weights == std::array<uint32_t, 4>{64, 20, 4, 2});
  auto values = shown(w);
  CHECK(values["scheduler.slots.gpu"].value == "4");
  CHECK(values["scheduler.slots.gpu"].origin == f.at("acme/web/fabric.toml:2:7"));
  CHECK(values["scheduler.slots.licence"].origin == f.at("managed/fabric.toml:2:19"));
  CHECK(values["scheduler.shares.b.c"].value == "1000");
  CHECK(values["scheduler.weights.low"].origin == f.at("managed/fabric.toml:3:12"));
  CHECK(values["scheduler.weights.critical"].origin == "default");
}

TEST_CASE("the scheduler and what is kept of finished tasks") {
  const Fixture f;
  f.workspace();
  const Settings defaults = load_settings(f.workspace()).value();
  CHECK(defaults.scheduler.max_concurrent_tasks == 0);
  CHECK(defaults.scheduler.max_pending_tasks == 1000000);
  CHECK(defaults.scheduler.weights == std::array<uint32_t, 4>{64, 16, 4, 1});
  CHECK(defaults.scheduler.pressure_cpu == 95);
  CHECK(defaults.scheduler.pressure_memory == 20);
  CHECK(defaults.scheduler.keep_events == 1000000);
  CHECK(defaults.retention.tasks == 100000);
  CHECK(defaults.retention.age == Duration::seconds(30 * 86400));
  CHECK(defaults.retention.log_bytes == uint64_t{10} << 30);
  CHECK(defaults.agent_defaults.max_queue_depth == 1000);
  CHECK(defaults.agent_defaults.pool.empty());

  f.write("acme/tenant.toml",
          "[scheduler]\nmax_concurrent_tasks = 8\nmax_pending_tasks = 10\nkeep_events = 11\n"
          "pressure_cpu = 50\npressure_memory = 5\n"
          "[retention]\ntasks = 12\nage = \"1d\"\nlog_bytes = \"1G\"\n"
          "[agent]\nmax_queue_depth = 13\npool = \"web\"\n");
  f.write("acme/web/agents/a/agent.toml", "command = [\"x\"]\npool = \"\"\n");
  Settings s = load_settings(f.workspace()).value();
  CHECK(s.scheduler.max_concurrent_tasks == 8);
  CHECK(s.scheduler.max_pending_tasks == 10);
  CHECK(s.scheduler.keep_events == 11);
  CHECK(s.scheduler.pressure_cpu == 50);
  CHECK(s.scheduler.pressure_memory == 5);
  CHECK(s.retention.tasks == 12);
  CHECK(s.retention.age == Duration::seconds(86400));
  CHECK(s.retention.log_bytes == uint64_t{1} << 30);
  CHECK(s.agent_defaults.pool == "web");
  const AgentDefinition a = load_agent(f.workspace(), "a", {}).value();
  CHECK(a.max_queue_depth == 13);
  CHECK(a.pool.empty());

  f.write("acme/web/fabric.toml",
          "[scheduler]\nmax_concurrent_tasks = \"none\"\npressure_cpu = \"none\"\n"
          "pressure_memory = \"none\"\n"
          "[retention]\ntasks = \"none\"\nage = \"none\"\nlog_bytes = \"none\"\n");
  s = load_settings(f.workspace()).value();
  CHECK(s.scheduler.max_concurrent_tasks == 0);
  CHECK(s.scheduler.pressure_cpu == 0);
  CHECK(s.scheduler.pressure_memory == 0);
  CHECK(s.retention.tasks == 0);
  CHECK(s.retention.age == Duration{});
  CHECK(s.retention.log_bytes == 0);
  auto values = shown(f.workspace());
  for (const char* key :
       {"scheduler.max_concurrent_tasks", "scheduler.pressure_cpu", "scheduler.pressure_memory",
        "retention.tasks", "retention.age", "retention.log_bytes"}) {
    CHECK(values[key].value == "\"none\"");
    CHECK(values[key].origin.starts_with(f.at("acme/web/fabric.toml:")));
  }
  CHECK(values["agent.pool"].value == "\"web\"");
  CHECK(values["agent.max_queue_depth"].origin == f.at("acme/tenant.toml:12:1"));
}

TEST_CASE("flags win over every file, and suffice without one") {
  const Fixture f;
  f.workspace();
  f.write("acme/web/agents/a/agent.toml", "command = [\"x\"]\nkind = \"worker\"\nuser = \"bob\"\n");
  AgentFlags flags;
  flags.command = {"y", "{payload.q}"};
  flags.kind = AgentKind::exec;
  flags.memory_bytes = 1 << 20;
  flags.isolation = IsolationLevel::container;
  flags.max_concurrent_tasks = 4;
  flags.max_queue_depth = 5;
  flags.pool = "web";
  const AgentDefinition a = load_agent(f.workspace(), "a", flags).value();
  CHECK(a.command == std::vector<std::string>{"y", "{payload.q}"});
  CHECK(a.kind == AgentKind::exec);
  CHECK(a.user == "bob");
  CHECK(a.limits.memory_bytes == 1 << 20);
  CHECK(a.isolation == IsolationLevel::container);
  CHECK(a.max_concurrent_tasks == 4);
  CHECK(a.max_queue_depth == 5);
  CHECK(a.pool == "web");
  const AgentDefinition b = load_agent(f.workspace(), "b", flags).value();
  CHECK_FALSE(b.user.empty());
}

TEST_CASE("flags are checked as files are") {
  const Fixture f;
  const Workspace w = f.workspace();
  auto refused = [&](auto change) {
    AgentFlags flags;
    flags.command = {"x"};
    change(flags);
    auto result = load_agent(w, "a", flags);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ErrorCode::usage);
  };
  refused([](AgentFlags& x) { x.command = std::vector<std::string>{}; });
  refused([](AgentFlags& x) { x.command = {"{payload.x}"}; });
  refused([](AgentFlags& x) { x.env = {{"FABRIC_TOKEN", "1"}}; });
  refused([](AgentFlags& x) { x.env = {{"A=B", "1"}}; });
  refused([](AgentFlags& x) { x.env = {{"", "1"}}; });
  refused([](AgentFlags& x) { x.env = {{"A", std::string("\0", 1)}}; });
  refused([](AgentFlags& x) { x.labels = {{"", "1"}}; });
  refused([](AgentFlags& x) { x.user = "../x"; });
  refused([](AgentFlags& x) { x.max_concurrent_tasks = 0; });
  refused([](AgentFlags& x) { x.max_queue_depth = 0; });
  refused([](AgentFlags& x) { x.max_queue_depth = 1000000001; });
  refused([](AgentFlags& x) { x.pool = "../x"; });
  CHECK_FALSE(load_agent(w, "../a", {}));
}

TEST_CASE("an agent without a command is refused") {
  const Fixture f;
  const Error e = error_of(f, load_agent(f.workspace(), "a", {}));
  CHECK(e.message == "agent a has no command");
  CHECK(e.hint == "give one after --, or write it into acme/web/agents/a/agent.toml");
  CHECK(e.code == ErrorCode::usage);
}

TEST_CASE("show of an agent without agent.toml is not_found") {
  const Fixture f;
  CHECK(error_of(f, show(f.workspace(), "nobody")).code == ErrorCode::not_found);
}
