// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <tuple>

#include "base/id.hpp"
#include "config/load.hpp"

namespace fabric::config {
namespace {

namespace fs = std::filesystem;

void check_agent(const Workspace& workspace, const std::string& id, const Draft& settings,
                 std::vector<Problem>& problems) {
  const std::string directory = workspace.root + "/agents/" + id;
  if (Status valid = check_id(id, "agent id"); !valid) {
    Error error = valid.error();
    error.message = workspace.root + "/agents: " + error.message;
    return problems.push_back({directory, {}, std::move(error)});
  }
  Draft draft = settings;
  const size_t before = problems.size();
  const bool there = apply_agent_layer(workspace, id, draft, problems);
  const AgentDefinition& agent = draft.settings.agent_defaults;
  if (!there || problems.size() != before || !agent.command.empty() ||
      agent.kind == AgentKind::external)
    return;
  const std::string file = workspace.agent_file(id);
  problems.push_back(
      {file,
       {},
       {ErrorCode::usage, file + ": has no command", "add: command = [\"PROGRAM\", ...]"}});
}

}  // namespace

Result<std::vector<Error>> check(const Workspace& workspace) {
  Draft settings;
  std::vector<Problem> problems;
  apply_settings_layers(workspace, settings, problems);

  std::error_code error;
  for (fs::directory_iterator it(workspace.root + "/agents", error), end; !error && it != end;
       it.increment(error)) {
    std::error_code ignored;
    if (it->is_directory(ignored))
      check_agent(workspace, it->path().filename().string(), settings, problems);
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return fail(ErrorCode::failed, workspace.root + "/agents: " + error.message());

  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.file, a.at.line, a.at.column) < std::tie(b.file, b.at.line, b.at.column);
  });
  std::vector<Error> out;
  for (Problem& problem : problems) out.push_back(std::move(problem.error));
  return out;
}

}  // namespace fabric::config
