// SPDX-License-Identifier: Apache-2.0
#include "config/layer_file.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/users.hpp"

namespace fabric::config {
namespace {

// A FIFO must not block us and a device must not notice us: hence O_NONBLOCK, O_NOCTTY.
constexpr int k_flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

int open_beneath(int directory, const std::string& name) {
  open_how how{};
  how.flags = static_cast<uint64_t>(k_flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int tries = 0; tries < 8; ++tries) {
    const long fd = ::syscall(SYS_openat2, directory, name.c_str(), &how, sizeof how);
    // EAGAIN: something was renamed meanwhile.
    if (fd >= 0 || errno != EAGAIN) {
      if (fd < 0 && (errno == ENOSYS || errno == EPERM)) break;
      return static_cast<int>(fd);
    }
  }
  // Old kernels and strict containers: no symlink at the end then.
  return ::openat(directory, name.c_str(), k_flags | O_NOFOLLOW);
}

bool is_private_group(uid_t uid, gid_t gid) {
  const auto user = find_user(uid);
  if (!user || user->gid != gid) return false;
  const auto group = find_group(gid);
  if (!group || group->name != user->name) return false;
  return std::all_of(group->members.begin(), group->members.end(),
                     [&](const std::string& member) { return member == user->name; });
}

}  // namespace

bool others_can_write(const struct stat& info) {
  if (info.st_mode & S_IWOTH) return true;
  return (info.st_mode & S_IWGRP) && !is_private_group(info.st_uid, info.st_gid);
}

std::string user_name_of(uid_t uid) {
  const auto user = find_user(uid);
  return "uid " + std::to_string(uid) + (user ? " (" + user->name + ")" : "");
}

std::string shell_word(const std::string& path) {
  constexpr std::string_view k_plain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-+:,@%=";
  if (!path.empty() && path.find_first_not_of(k_plain) == std::string::npos) return path;
  std::string out = "'";
  for (char c : path) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

Result<std::optional<std::string>> read_layer_file(const std::string& directory,
                                                   const std::string& name) {
  const std::string path = directory + "/" + name;
  const Fd base(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!base && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (!base) return fail_errno(errno, directory);
  const Fd file(open_beneath(base.get(), name));
  if (!file && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (!file && (errno == EXDEV || errno == ELOOP))
    return fail(ErrorCode::usage, path + ": is a symbolic link that leads out of " + directory,
                "put the file itself there");
  if (!file) return fail_errno(errno, path);

  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return fail_errno(errno, path);
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::usage, path + ": is not a regular file");
  if (info.st_uid != ::geteuid() && info.st_uid != 0)
    return fail(
        ErrorCode::denied,
        path + ": belongs to " + user_name_of(info.st_uid) + ", not to you or root",
        "look at it, then: sudo chown " + std::to_string(::geteuid()) + " " + shell_word(path));
  if (others_can_write(info))
    return fail(ErrorCode::denied, path + ": other users can write it",
                "look at it, then: chmod go-w " + shell_word(path));
  if (static_cast<uint64_t>(info.st_size) > k_max_file)
    return fail(ErrorCode::usage, path + ": is larger than 1 MiB");
  return TRY(in_context(read_all(file.get(), k_max_file), path));
}

}  // namespace fabric::config
