// SPDX-License-Identifier: Apache-2.0
// Exact texts of what people see when a file is wrong.
#include "config/layers.hpp"
#include "tests/unit/config/fixture.hpp"

using namespace fabric;
using namespace fabric::config;

namespace {

struct Said {
  std::string message;
  std::string hint;
};
std::vector<Said> said(const std::string& text, FileKind kind = k_workspace) {
  Draft draft;
  std::vector<Problem> problems;
  apply_text(text, "f", kind, draft, problems);
  std::vector<Said> out;
  for (const Problem& p : problems) out.push_back({p.error.message, p.error.hint});
  return out;
}
std::string message(const std::string& text, FileKind kind = k_workspace) {
  const auto all = said(text, kind);
  REQUIRE(all.size() == 1);
  return all[0].message;
}
std::string hint(const std::string& text, FileKind kind = k_workspace) {
  const auto all = said(text, kind);
  REQUIRE(all.size() == 1);
  return all[0].hint;
}

}  // namespace

TEST_CASE("an unknown key is named with its place and the nearest name") {
  CHECK(message("[supervisor]\n  orphan_grce = \"1m\"\n") == "f:2:3: unknown key \"orphan_grce\"");
  CHECK(hint("[supervisor]\n  orphan_grce = \"1m\"\n") == "did you mean \"orphan_grace\"?");
  CHECK(message("[agent.isolation]\nmemroy_mb = 5") == "f:2:1: unknown key \"memroy_mb\"");
  CHECK(hint("[agent.isolation]\nmemroy_mb = 5") == "did you mean \"memory_mb\"?");
  CHECK(hint("[agnt]\nkind = \"exec\"") == "did you mean \"agent\"?");
  CHECK(hint("agent.isolation = {lvel = \"none\"}") == "did you mean \"level\"?");
  CHECK(hint("\n[supervisor]\nzzzzzz = 1\n") ==
        "known here: orphan_grace stop_timeout max_lost_attempts");
}

TEST_CASE("keys that fabric does not have yet are unknown, not ignored") {
  for (const char* key :
       {"filesystem_root", "network_egress", "budget", "policies", "restart", "slots", "shares"}) {
    CHECK(message(std::string(key) + " = 1", k_agent) ==
          "f:1:1: unknown key \"" + std::string(key) + "\"");
    CHECK(message("[" + std::string(key) + "]\nx = 1\ny = 2") ==
          "f:1:2: unknown key \"" + std::string(key) + "\"");
  }
  CHECK(message("[isolation]\nfilesystem_root = \"/\"", k_agent) ==
        "f:2:1: unknown key \"filesystem_root\"");
}

TEST_CASE("a quoted key with a dot is not a path") {
  CHECK(message("\"agent.kind\" = \"exec\"") == "f:1:1: unknown key \"agent.kind\"");
  CHECK(message("\"isolation.level\" = \"none\"", k_agent) ==
        "f:1:1: unknown key \"isolation.level\"");
}

TEST_CASE("a key in the wrong file says where it belongs") {
  CHECK(message("[agent]\ncommand = [\"x\"]") == "f:2:1: \"command\" cannot stand in this file");
  CHECK(hint("[agent]\ncommand = [\"x\"]") == "it belongs in agent.toml");
  CHECK(hint("name = \"x\"") == "it belongs in tenant.toml");
  CHECK(hint("[agent]\nkind = \"exec\"", k_agent) ==
        "in agent.toml the keys stand without [agent]");
  CHECK(said("name = \"x\"", k_tenant).empty());
}

TEST_CASE("a wrong type names what was expected and what was found") {
  CHECK(message("[supervisor]\norphan_grace = 5") ==
        "f:2:16: supervisor.orphan_grace: expected duration such as \"30s\", found integer 5");
  CHECK(message("supervisor = 5") == "f:1:14: supervisor: expected table, found integer");
  CHECK(message("[[agent]]\nkind = \"exec\"") == "f:1:1: agent: expected table, found array");
  CHECK(message("kind = true", k_agent) == "f:1:8: kind: expected string, found boolean");
  CHECK(message("tools = \"bash\"", k_agent) ==
        "f:1:9: tools: expected array of strings, found string \"bash\"");
  CHECK(message("tools = [\"a\", 1]", k_agent) ==
        "f:1:15: tools: expected string, found integer 1");
  CHECK(message("timeout_seconds = \"5\"", k_agent) ==
        "f:1:19: timeout_seconds: expected number of seconds or \"none\", found string \"5\"");
  CHECK(message("[isolation]\nmemory_mb = 1.5", k_agent) ==
        "f:2:13: isolation.memory_mb: expected integer or \"none\", found number with a fraction");
  CHECK(message("[isolation]\ncpu_cores = 1979-05-27", k_agent) ==
        "f:2:13: isolation.cpu_cores: expected number of cores or \"none\", found date or time");
  CHECK(message("env = []", k_agent) == "f:1:7: env: expected table of strings, found array");
  CHECK(message("[env]\nA = 1", k_agent) == "f:2:5: env: expected string, found integer 1");
}

TEST_CASE("a bad value says what would be good") {
  CHECK(message("kind = \"shell\"", k_agent) == "f:1:8: kind: unknown agent kind 'shell'");
  CHECK(hint("kind = \"shell\"", k_agent) == "use exec, worker or external");
  CHECK(message("grace = \"5\"", k_agent) == "f:1:9: grace: invalid duration '5'");
  CHECK(message("grace = \"9999d\"", k_agent) == "f:1:9: grace: a duration is at most 366d");
  CHECK(message("max_output = \"lots\"", k_agent) == "f:1:14: max_output: invalid size 'lots'");
  CHECK(message("max_concurrent_tasks = 0", k_agent) ==
        "f:1:24: max_concurrent_tasks: expected an integer from 1 to 1024, found integer 0");
  CHECK(
      message("[isolation]\npids = -1", k_agent) ==
      "f:2:8: isolation.pids: expected an integer from 0 (no limit) to 4194304, found integer -1");
  for (const char* bad : {"inf", "nan", "-1", "0.001", "1e9"})
    CHECK(message("[isolation]\ncpu_cores = " + std::string(bad), k_agent) ==
          "f:2:13: isolation.cpu_cores: a number of cores is from 0.01 to 4096, or 0 for no limit");
  for (const char* bad : {"inf", "nan", "-1", "1e18"})
    CHECK(said("timeout_seconds = " + std::string(bad), k_agent).size() == 1);
  CHECK(said("user = \"a/b\"", k_agent).size() == 1);
  CHECK(said("model = \"a\\u0000b\"", k_agent).size() == 1);
}

TEST_CASE("numbers of the scheduler") {
  auto in = [](const std::string& line) { return message("[scheduler]\n" + line); };
  CHECK(in("max_pending_tasks = \"none\"") ==
        "f:2:21: scheduler.max_pending_tasks: expected integer, found string \"none\"");
  CHECK(in("max_pending_tasks = 0") ==
        "f:2:21: scheduler.max_pending_tasks: expected an integer "
        "from 1 to 1000000000, found integer 0");
  CHECK(in("weights = {low = 0}") ==
        "f:2:18: scheduler.weights.low: expected an integer from 1 to "
        "1000000, found integer 0");
  CHECK(in("weights = {lwo = 1}") == "f:2:12: unknown key \"lwo\"");
  CHECK(in("weights = 1") == "f:2:11: scheduler.weights: expected table, found integer");
  CHECK(in("slots = [1]") == "f:2:9: scheduler.slots: expected table of integers, found array");
  CHECK(in("slots = {gpu = \"1\"}") ==
        "f:2:16: scheduler.slots: expected integer, found string \"1\"");
  CHECK(in("slots = {gpu.a = 1}") == "f:2:10: scheduler.slots: expected integer, found table");
  CHECK(in("slots = {\"a b\" = 1}").starts_with("f:2:10: scheduler.slots: "));
  CHECK(in("pools = {\"../x\" = 1}").starts_with("f:2:10: scheduler.pools: "));
  CHECK(in("shares = {a = 1001}") ==
        "f:2:15: scheduler.shares: expected an integer from 1 to 1000, found integer 1001");
  CHECK(in("shares = {\"\" = 1}").starts_with("f:2:11: scheduler.shares: "));
  CHECK(in("pressure_cpu = 101").find("to 100, found integer 101") != std::string::npos);
  CHECK(said("[scheduler]\nslots = {gpu = 0}\npools = {web = 0}").empty());
  CHECK(message("[retention]\nage = 5") ==
        "f:2:7: retention.age: expected duration such as \"30s\" or \"none\", found integer 5");
  CHECK(message("[retention]\nlog_bytes = \"x\"") ==
        "f:2:13: retention.log_bytes: invalid size 'x'");
  CHECK(message("max_queue_depth = 0", k_agent).starts_with("f:1:19: max_queue_depth: "));
  CHECK(said("pool = \"a/b\"", k_agent).size() == 1);
  CHECK(said("[agent]\nshare = 1\n").size() == 1);
  CHECK(said("scheduler.keep_events = 1", k_agent).size() == 1);
}

TEST_CASE("names of environment variables") {
  CHECK(message("[env]\nOK = \"\"\n\"A-B\" = \"x\"", k_agent) ==
        "f:3:1: env: invalid name of an environment variable \"A-B\"");
  CHECK(message("[env]\n1A = \"x\"", k_agent) ==
        "f:2:1: env: invalid name of an environment variable \"1A\"");
  CHECK(message("[env]\nFABRIC_SOCKET = \"x\"", k_agent) ==
        "f:2:1: env: the environment variable FABRIC_SOCKET is set by fabric itself");
  CHECK(said("[env]\nLD_PRELOAD = \"x\"\n_a1 = \"\"", k_agent).empty());
}

TEST_CASE("commands are checked when they are read") {
  CHECK(message("command = []", k_agent) == "f:1:11: command: the command names no program");
  CHECK(message("command = [\"x\", \"{payload.}\"]", k_agent) ==
        "f:1:11: command: malformed placeholder in the argument \"{payload.}\"");
  CHECK(said("command = [\"x\\u0000\"]", k_agent).size() == 1);
  CHECK(said("command = [\"{payload.x}\"]", k_agent).size() == 1);
  CHECK(said("command = [\"x\", \"{payload.a.b} {foo} {\"]", k_agent).empty());
}

TEST_CASE("text that is not TOML is refused with its place") {
  CHECK(message("a = ").starts_with("f:1:"));
  CHECK(message("[agent]\nkind = \"exec\"\nkind = \"exec\"").starts_with("f:3:"));
  CHECK(message("x = \"\xff\"").starts_with("f:1:"));
  CHECK(message(std::string("a\0 = 1", 6)).starts_with("f:1:"));
  CHECK(message("\xef\xbb\xbf[agent]\nkid = \"exec\"") == "f:2:1: unknown key \"kid\"");
}

TEST_CASE("columns count characters") {
  CHECK(message("model = \"\xc3\xa4\xc3\xb6\"; x", k_agent).starts_with("f:1:13:"));
  CHECK(message("[labels]\n\"\xc3\xa4\" = 5", k_agent) ==
        "f:2:7: labels: expected string, found integer 5");
}

TEST_CASE("names from files are shown without what could drive a terminal") {
  CHECK(message("\"\\u001b[31m\" = 1") == "f:1:1: unknown key \"\\u001b[31m\"");
  for (const Said& s : said("kind = \"\\u001b[31m\"", k_agent))
    CHECK(s.message.find('\x1b') == std::string::npos);
}

TEST_CASE("every problem of a file is reported, and what is good is applied") {
  Draft draft;
  std::vector<Problem> problems;
  apply_text("[agent]\nkind = \"x\"\nmodel = \"m\"\n[supervisor]\nstop_timeout = 1\nfoo = 1\n", "f",
             k_workspace, draft, problems);
  CHECK(problems.size() == 3);
  CHECK(draft.settings.agent_defaults.model == "m");
  CHECK(draft.settings.agent_defaults.kind == AgentKind::exec);
  CHECK(draft.origins.count("agent.kind") == 0);
}

TEST_CASE("no limit is 0 or \"none\"") {
  for (const char* none : {"0", "\"none\""}) {
    Draft draft;
    std::vector<Problem> problems;
    const std::string n = none;
    apply_text("timeout_seconds = " + n + "\n[isolation]\nmemory_mb = " + n + "\ncpu_cores = " + n +
                   "\npids = " + n + "\n",
               "f", k_agent, draft, problems);
    CHECK(problems.empty());
    CHECK(draft.settings.agent_defaults.limits == Limits{0, 0, 0});
    CHECK(draft.settings.agent_defaults.timeout == Duration{});
  }
}
