// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>

#include "config/discovery.hpp"
#include "config/layer_file.hpp"
#include "config/settings_text.hpp"
#include "config/state_tree.hpp"
#include "config/workspace.hpp"

namespace fabric::config {
namespace {

constexpr const char* k_policies_readme =
    "Policies of this workspace: one TOML file each, read in the order of their names.\n";
constexpr const char* k_agents_readme =
    "Agents of this workspace: one directory each, named as the agent, with an agent.toml.\n"
    "\n"
    "    # agents/shout/agent.toml\n"
    "    command = [\"tr\", \"a-z\", \"A-Z\"]\n"
    "\n"
    "`fabric spawn shout` starts it.\n";

bool exists(const Fd& directory, const char* name) {
  struct stat info {};
  return ::fstatat(directory.get(), name, &info, AT_SYMLINK_NOFOLLOW) == 0;
}

Status refuse_existing(const Fd& fd, const std::string& root) {
  if (exists(fd, "fabric.toml"))
    return fail(ErrorCode::usage, root + " is a workspace already: it has fabric.toml",
                "to use it: fabric trust " + shell_word(root));
  if (exists(fd, ".fabric"))
    return fail(ErrorCode::usage, root + "/.fabric exists already, without a fabric.toml beside it",
                "look at it and move it away");
  return {};
}

Status make_readme(const Fd& fd, const std::string& root, const std::string& directory,
                   const char* text, Undo& undo) {
  TRY_STATUS(ensure_directory(fd, root, directory, Access::shared, undo));
  const std::string name = directory + "/README.md";
  if (exists(fd, name.c_str())) return {};
  return make_file(fd, root, name, text, undo);
}

}  // namespace

Result<Workspace> init_workspace(const std::string& directory) {
  const std::string said = directory.empty() ? "." : directory;
  const bool made = ::mkdir(said.c_str(), 0755) == 0;
  if (!made && errno != EEXIST) return fail_errno(errno, said);
  auto make = [&]() -> Result<Workspace> {
    char resolved[PATH_MAX];
    if (!::realpath(said.c_str(), resolved)) return fail_errno(errno, said);
    const std::string root = resolved;
    const Fd fd = TRY(open_own_directory(root));
    TRY_STATUS(refuse_existing(fd, root));
    Undo undo(fd);
    TRY_STATUS(ensure_state_tree(fd, root, undo));
    TRY_STATUS(make_readme(fd, root, "policies", k_policies_readme, undo));
    TRY_STATUS(make_readme(fd, root, "agents", k_agents_readme, undo));
    TRY_STATUS(make_file(fd, root, "fabric.toml", default_settings_file(), undo));
    if (::fsync(fd.get()) != 0) return fail_errno(errno, root);
    TRY_STATUS(register_workspace(TRY(identify(fd, root))));
    undo.keep();
    return workspace_at(root, FindOptions{}.managed);
  };
  auto workspace = make();
  if (!workspace && made) ::rmdir(said.c_str());
  return workspace;
}

}  // namespace fabric::config
