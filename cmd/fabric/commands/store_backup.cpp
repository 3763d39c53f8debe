// SPDX-License-Identifier: Apache-2.0
#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

constexpr auto k_fields = std::to_array<JsonField<std::string>>({
    {"directory", "Where the copy is.", [](json::Writer& w, const std::string& v) { w.string(v); }},
});
JsonShape backup_shape() { return shape_of<k_fields>(); }

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const std::string directory = arguments.positional(0);
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const store::Store store = TRY(open_store(workspace));
  TRY_STATUS(store.backup(directory));
  TRY_STATUS(print(choice.wanted() ? choice.object(k_fields, directory) + "\n"
                                   : "copied the store to " + printable(directory) + "\n"));
  return 0;
}

constexpr Positional k_positionals[] = {
    {"DIR", "A directory that does not exist yet.", Complete::directory}};
constexpr Example k_examples[] = {
    {"fabric store backup /var/backups/web-store", "Copies the store of this workspace."},
    {"fabric -C ~/work/web store backup \"web-$(date +%F)\"", "The same from cron."}};

}  // namespace

const Command k_store_backup_command{
    "store backup",
    Group::maintenance,
    "copy the store as it is at this moment",
    "The copy is consistent and compact, also while others read and write, and on disk when the "
    "command returns. Log files and work directories are not part of it.",
    k_positionals,
    {},
    {},
    k_examples,
    backup_shape,
    run};

}  // namespace fabric::cmd
