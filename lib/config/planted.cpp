// SPDX-License-Identifier: Apache-2.0
#include "config/planted.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>

namespace fabric::config {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

Status refuse_links_in(const Fd& root, const std::string& path, const std::string& name) {
  Fd fd(::openat(root.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd && errno == ENOENT) return {};
  if (!fd) return fail_errno(errno, path + "/" + name);
  const std::unique_ptr<DIR, CloseDirectory> list(::fdopendir(fd.get()));
  if (!list) return fail_errno(errno, path + "/" + name);
  const int directory = fd.release();  // now the list's
  while (const dirent* entry = ::readdir(list.get())) {
    struct stat info {};
    if (::fstatat(directory, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(info.st_mode))
      return fail(ErrorCode::denied,
                  path + "/" + name + " holds a symbolic link, " + std::string(entry->d_name) +
                      ", that fabric did not make",
                  "look at it and move " + path + "/.fabric away");
  }
  return {};
}

}  // namespace

Status refuse_planted_links(const Fd& root, const std::string& path) {
  for (const char* name :
       {".fabric", ".fabric/run", ".fabric/store", ".fabric/logs", ".fabric/agents"})
    TRY_STATUS(refuse_links_in(root, path, name));
  return {};
}

}  // namespace fabric::config
