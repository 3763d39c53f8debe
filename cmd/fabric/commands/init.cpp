// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "config/workspace.hpp"
#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "store/store.hpp"

namespace fabric::cmd {
namespace {

constexpr auto k_fields = std::to_array<JsonField<config::Workspace>>({
    {"workspace", "Its directory.",
     [](json::Writer& w, const config::Workspace& v) { w.string(v.root); }},
});
JsonShape init_shape() { return shape_of<k_fields>(); }

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const std::string given = arguments.positional(0);
  const std::string directory = given.empty() ? "." : given;
  const config::Workspace workspace = TRY(config::init_workspace(directory));
  TRY(store::Store::open(workspace.store_dir(), store::Store::Mode::create));
  if (choice.wanted()) {
    TRY_STATUS(print(choice.object(k_fields, workspace) + "\n"));
    return 0;
  }
  TRY_STATUS(print("made the workspace " + workspace.root + "\n"));
  note("next: fabric spawn ID -- COMMAND...");
  return 0;
}

constexpr Positional k_positionals[] = {
    {"DIR",
     "Where; made when it does not exist. Default: the current directory.",
     Complete::directory,
     {},
     false}};
constexpr Example k_examples[] = {{"fabric init", "Makes the current directory a workspace."},
                                  {"fabric init ~/work/web", "Makes one elsewhere."}};

}  // namespace

const Command k_init_command{
    "init",
    Group::workspace,
    "make a workspace",
    "Writes fabric.toml with commented defaults, policies/, agents/ and .fabric/ (mode 0700, "
    "ignored "
    "by git), and registers the directory as yours to use. A directory that is a workspace already "
    "is refused.",
    k_positionals,
    {},
    {},
    k_examples,
    init_shape,
    run,
    /*in_workspace=*/false};

}  // namespace fabric::cmd
