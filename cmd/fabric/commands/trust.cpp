// SPDX-License-Identifier: Apache-2.0
#include "config/workspace.hpp"
#include "fabric/commands.hpp"
#include "fabric/output.hpp"

namespace fabric::cmd {
namespace {

constexpr auto k_fields = std::to_array<JsonField<config::Workspace>>({
    {"workspace", "Its directory.",
     [](json::Writer& w, const config::Workspace& v) { w.string(v.root); }},
});
JsonShape trust_shape() { return shape_of<k_fields>(); }

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const std::string given = arguments.positional(0);
  const std::string directory = given.empty() ? "." : given;
  const config::Workspace workspace = TRY(config::trust_workspace(directory));
  TRY_STATUS(print(choice.wanted() ? choice.object(k_fields, workspace) + "\n"
                                   : "trusted the workspace " + workspace.root + "\n"));
  return 0;
}

constexpr Positional k_positionals[] = {
    {"DIR", "The workspace. Default: the current directory.", Complete::directory, {}, false}};
constexpr Example k_examples[] = {
    {"fabric trust", "Trusts the workspace in the current directory, after you looked at it."},
    {"fabric trust ~/src/cloned", "Trusts one elsewhere."}};

}  // namespace

const Command k_trust_command{
    "trust",
    Group::workspace,
    "allow fabric to use a workspace that it did not make",
    "A cloned repository can carry settings and state that somebody else prepared, so fabric uses "
    "only workspaces that are yours and that you made or trusted. Look at fabric.toml, agents/ and "
    "policies/ first. A workspace that was moved or replaced has to be trusted again.",
    k_positionals,
    {},
    {},
    k_examples,
    trust_shape,
    run,
    /*in_workspace=*/false};

}  // namespace fabric::cmd
