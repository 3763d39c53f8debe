// SPDX-License-Identifier: Apache-2.0
#include "config/state_tree.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "config/layer_file.hpp"

namespace fabric::config {
namespace {

tl::unexpected<Error> not_yours(const std::string& path, uid_t owner) {
  return fail(ErrorCode::denied, path + " belongs to " + user_name_of(owner) + ", not to you",
              "work in a directory of your own, or as that user");
}

DirectoryIdentity identity(const struct stat& info) { return {info.st_dev, info.st_ino}; }

}  // namespace

Undo::~Undo() {
  for (; !made_.empty(); made_.pop_back())
    ::unlinkat(directory_.get(), made_.back().name.c_str(),
               made_.back().directory ? AT_REMOVEDIR : 0);
}

Result<Fd> open_own_directory(const std::string& path) {
  Fd fd = TRY(open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail_errno(errno, path);
  if (info.st_uid != ::geteuid()) return not_yours(path, info.st_uid);
  if (others_can_write(info))
    return fail(ErrorCode::denied, path + ": other users can write it",
                "chmod go-w " + shell_word(path));
  return fd;
}

Status ensure_directory(const Fd& directory, const std::string& path, const std::string& name,
                        Access access, Undo& undo) {
  const std::string full = path + "/" + name;
  if (::mkdirat(directory.get(), name.c_str(), access == Access::shared ? 0755 : 0700) == 0)
    undo.made_directory(name);
  else if (errno != EEXIST)
    return fail_errno(errno, full);
  const Fd made(
      ::openat(directory.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!made && (errno == ENOTDIR || errno == ELOOP))
    return fail(ErrorCode::denied, full + " is not a directory", "look at it and move it away");
  if (!made) return fail_errno(errno, full);
  struct stat info {};
  if (::fstat(made.get(), &info) != 0) return fail_errno(errno, full);
  if (info.st_uid != ::geteuid()) return not_yours(full, info.st_uid);
  if (access == Access::only_owner && ::fchmod(made.get(), 0700) != 0)
    return fail_errno(errno, full);
  return {};
}

Status make_file(const Fd& directory, const std::string& path, const std::string& name,
                 const std::string& text, Undo& undo) {
  const Fd file(::openat(directory.get(), name.c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file) return fail_errno(errno, path + "/" + name);
  undo.made_file(name);
  TRY_STATUS(in_context(write_all(file.get(), text), path + "/" + name));
  if (::fsync(file.get()) != 0) return fail_errno(errno, path + "/" + name);
  return {};
}

Status ensure_state_tree(const Fd& root, const std::string& path, Undo& undo) {
  for (const char* name : {".fabric", ".fabric/run", ".fabric/logs", ".fabric/agents"})
    TRY_STATUS(ensure_directory(root, path, name, Access::only_owner, undo));
  struct stat info {};
  if (::fstatat(root.get(), ".fabric/.gitignore", &info, AT_SYMLINK_NOFOLLOW) == 0) return {};
  return make_file(root, path, ".fabric/.gitignore", "*\n", undo);
}

Result<Registration> identify(const Fd& root, const std::string& path) {
  struct stat info {};
  if (::fstatat(root.get(), "fabric.toml", &info, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno(errno, path + "/fabric.toml");
  if (info.st_uid != ::geteuid()) return not_yours(path + "/fabric.toml", info.st_uid);

  Registration out;
  out.root = path;
  if (::fstat(root.get(), &info) != 0) return fail_errno(errno, path);
  out.workspace = identity(info);
  if (::fstatat(root.get(), ".fabric", &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) return fail_errno(errno, path + "/.fabric");
    return fail(ErrorCode::not_found, path + "/.fabric is missing");
  }
  if (!S_ISDIR(info.st_mode))
    return fail(ErrorCode::denied, path + "/.fabric is not a directory",
                "look at it and move it away, then: fabric trust " + shell_word(path));
  if (info.st_uid != ::geteuid()) return not_yours(path + "/.fabric", info.st_uid);
  if (info.st_mode & 077)
    return fail(ErrorCode::denied, path + "/.fabric is open to other users",
                "look at it, then: chmod 700 " + shell_word(path + "/.fabric"));
  out.state = identity(info);
  return out;
}

}  // namespace fabric::config
