// SPDX-License-Identifier: Apache-2.0
#include "config/settings_table.hpp"
#include "config/settings_text.hpp"
#include "tests/unit/config/fixture.hpp"

using namespace fabric;
using namespace fabric::config;

TEST_CASE("check reports every problem of every layer, by file and line") {
  const Fixture f;
  const Workspace made = f.workspace();
  f.write("managed/fabric.toml", "[agent]\nkind = 1\n");
  f.write("acme/tenant.toml", "nam = \"x\"\n");
  f.write("acme/web/fabric.toml", "[supervisor]\nx = 1\nstop_timeout = 2\n[bad\n");
  f.write("acme/web/agents/b/agent.toml", "[isolation]\npids = \"x\"\n[env]\nA = 1\n");
  f.write("acme/web/agents/a/agent.toml", "model = \"m\"\n");
  f.write("acme/web/agents/-x/agent.toml", "");
  f.write("acme/web/agents/empty/notes", "");
  std::vector<std::string> messages;
  const std::vector<Error> errors = check(f.workspace()).value();
  for (const Error& e : errors) {
    CHECK(e.code == ErrorCode::usage);
    messages.push_back(e.message.substr(e.message.starts_with(f.top) ? f.top.size() + 1 : 0));
  }
  REQUIRE(messages.size() == 7);
  CHECK(messages[0] == "acme/tenant.toml:1:1: unknown key \"nam\"");
  CHECK(messages[1].starts_with("acme/web/agents: invalid agent id '-x'"));
  CHECK(messages[2] == "acme/web/agents/a/agent.toml: has no command");
  CHECK(messages[3].starts_with("acme/web/agents/b/agent.toml:2:8: isolation.pids: expected"));
  CHECK(messages[4].starts_with("acme/web/agents/b/agent.toml:4:5: env: expected string"));
  CHECK(messages[5].starts_with("acme/web/fabric.toml:4:"));
  CHECK(messages[6] == "managed/fabric.toml:2:8: agent.kind: expected string, found integer 1");
  CHECK(
      load_settings(f.workspace()).error().message.ends_with(" (and 2 more: fabric config check)"));
}

TEST_CASE("a workspace without agents/ is fine") {
  const Fixture f;
  std::filesystem::remove_all(f.workspace().root + "/agents");
  CHECK(check(f.workspace())->empty());
}

TEST_CASE("the fabric.toml of init says the defaults: uncommented it changes nothing") {
  std::string text;
  for (size_t begin = 0, end = 0; begin < default_settings_file().size(); begin = end + 1) {
    end = default_settings_file().find('\n', begin);
    std::string line = default_settings_file().substr(begin, end - begin);
    if (line.starts_with("# ") && line.find(" = ") != std::string::npos) line.erase(0, 2);
    text += line + "\n";
  }
  Draft draft;
  std::vector<Problem> problems;
  apply_text(text, "f", k_workspace, draft, problems);
  for (const Problem& p : problems) FAIL_CHECK(p.error.message);
  for (const Setting& setting : settings_table()) {
    if (!setting.value) continue;
    CHECK(setting.value(draft.settings) == setting.value(Settings{}));
    CHECK(draft.origins.count(std::string(setting.key)) == ((setting.files & k_workspace) ? 1 : 0));
  }
}

TEST_CASE("the manual has the table of settings") {
  const std::string path = std::string(FABRIC_TEST_DATA) + "/../docs/configuration.md";
  const std::string text = read_file(path).value();
  INFO("replace the table of docs/configuration.md by:\n" << settings_markdown());
  CHECK(text.find(settings_markdown()) != std::string::npos);
}

TEST_CASE("no setting is listed twice, and all are found") {
  for (const Setting& setting : settings_table()) {
    CHECK(find_setting(setting.key) == &setting);
    CHECK((setting.value != nullptr) + (setting.map != nullptr) + (setting.numbers != nullptr) ==
          1);
    CHECK(setting.files != 0);
    CHECK_FALSE(setting.meaning.empty());
  }
}
