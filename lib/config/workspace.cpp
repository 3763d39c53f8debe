// SPDX-License-Identifier: Apache-2.0
#include "config/workspace.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <climits>
#include <cstdlib>

#include "config/discovery.hpp"
#include "config/layer_file.hpp"
#include "config/planted.hpp"
#include "config/state_tree.hpp"

namespace fabric::config {
namespace {

Result<std::string> resolve(const std::string& path, const std::string& said) {
  char resolved[PATH_MAX];
  if (!::realpath(path.c_str(), resolved)) {
    const int error = errno;
    auto failure = fail_errno(error, said);
    if (error == ENOENT || error == ENOTDIR) failure.value().code = ErrorCode::not_found;
    return failure;
  }
  struct stat info {};
  if (::stat(resolved, &info) != 0) return fail_errno(errno, said);
  if (!S_ISDIR(info.st_mode)) return fail(ErrorCode::usage, said + ": is not a directory");
  return std::string(resolved);
}

// The nearest directory, from `start` upward, that has `file`; "" if none has.
Result<std::string> walk_up(std::string start, const std::string& file) {
  for (;;) {
    const std::string path = (start == "/" ? "" : start) + "/" + file;
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0) return start;
    if (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG)
      return fail_errno(errno, path);
    if (start == "/") return std::string();
    start.resize(start.rfind('/'));
    if (start.empty()) start = "/";
  }
}

tl::unexpected<Error> not_trusted(const std::string& root, const std::string& why) {
  return fail(ErrorCode::denied, "the workspace " + root + " is not trusted" + why,
              "look at it, then: fabric trust " + shell_word(root));
}

}  // namespace

Result<Workspace> workspace_at(std::string root, const std::string& managed) {
  Workspace workspace;
  workspace.managed = managed;
  if (root != "/") {
    std::string parent = root.substr(0, root.rfind('/'));
    workspace.tenant = TRY(walk_up(parent.empty() ? "/" : parent, "tenant.toml"));
  }
  workspace.root = std::move(root);
  return workspace;
}

Result<Workspace> find_workspace(const FindOptions& options) {
  std::string start = options.start;
  std::string said = start;
  const char* environment = std::getenv("FABRIC_WORKSPACE");
  if (start.empty() && environment && *environment) {
    start = environment;
    said = "FABRIC_WORKSPACE=" + start;
  }
  if (start.empty()) start = said = ".";

  const std::string directory = TRY(resolve(start, said));
  const std::string root = TRY(walk_up(directory, "fabric.toml"));
  if (root.empty())
    return fail(ErrorCode::not_found,
                "no workspace: neither " + directory + " nor a directory above it has fabric.toml",
                "make one: fabric init");

  const Fd fd = TRY(open_own_directory(root));
  auto registration = identify(fd, root);
  if (!registration && registration.error().code == ErrorCode::not_found)
    return not_trusted(root, ": it has no .fabric yet");
  const Registration known = TRY(std::move(registration));
  switch (TRY(look_up(known))) {
    case Trust::unknown:
      return not_trusted(root, "");
    case Trust::changed:
      return not_trusted(root, " any more: the directory was replaced");
    case Trust::trusted:
      break;
  }
  return workspace_at(root, options.managed);
}

Result<Workspace> trust_workspace(const std::string& directory) {
  const std::string said = directory.empty() ? "." : directory;
  const std::string root = TRY(resolve(said, said));
  const Fd fd = TRY(open_own_directory(root));
  struct stat info {};
  if (::fstatat(fd.get(), "fabric.toml", &info, AT_SYMLINK_NOFOLLOW) != 0)
    return fail(ErrorCode::not_found, root + " is not a workspace: it has no fabric.toml",
                "make it one: fabric init " + shell_word(root));
  Undo undo(fd);
  TRY_STATUS(ensure_state_tree(fd, root, undo));
  TRY_STATUS(refuse_planted_links(fd, root));
  TRY_STATUS(register_workspace(TRY(identify(fd, root))));
  undo.keep();
  return workspace_at(root, FindOptions{}.managed);
}

}  // namespace fabric::config
