// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdlib>

#include "base/users.hpp"
#include "config/workspace.hpp"

namespace fabric::config {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

Result<std::string> user_state_dir() {
  // The XDG specification: a path that is not absolute is to be ignored.
  if (std::string xdg = environment("XDG_STATE_HOME"); xdg.starts_with('/')) return xdg + "/fabric";
  std::string home = environment("HOME");
  if (!home.starts_with('/')) {
    const auto user = find_user(::geteuid());
    home = user ? user->home : "";
  }
  if (!home.starts_with('/'))
    return fail(ErrorCode::failed, "there is no home directory to keep the list of workspaces in",
                "set HOME or XDG_STATE_HOME");
  return home + "/.local/state/fabric";
}

}  // namespace fabric::config
