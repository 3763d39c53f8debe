// SPDX-License-Identifier: Apache-2.0
#include "isolation/host_path.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace fabric {

namespace {

constexpr int k_most_links = 40;  // as the kernel

Result<Fd> open_restricted(int directory, const std::string& path, int flags, unsigned mode,
                           unsigned resolve) {
  open_how how{};
  how.flags = static_cast<__u64>(static_cast<unsigned>(flags | O_CLOEXEC));
  how.mode = (flags & O_CREAT) != 0 ? mode : 0;
  how.resolve = resolve;
  long fd = -1;
  // RESOLVE_BENEATH gives up with EAGAIN when something was renamed meanwhile.
  for (int attempt = 0; attempt < 100; ++attempt) {
    fd = ::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
  }
  if (fd < 0) return fail_errno(errno, path);
  return Fd(static_cast<int>(fd));
}

// The first part of `rest`, which loses it.
std::string take_part(std::string& rest) {
  const size_t begin = rest.find_first_not_of('/');
  if (begin == std::string::npos) {
    rest.clear();
    return "";
  }
  const size_t end = std::min(rest.find('/', begin), rest.size());
  std::string part = rest.substr(begin, end - begin);
  rest.erase(0, end);
  return part;
}

Result<std::string> link_text(const std::string& path) {
  std::array<char, PATH_MAX> text{};
  const ssize_t size = ::readlink(path.c_str(), text.data(), text.size());
  if (size <= 0) return fail_errno(errno, path);
  return std::string(text.data(), static_cast<size_t>(size));
}

}  // namespace

bool is_beneath(std::string_view path, std::string_view directory) {
  if (directory == "/") return true;
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

std::string join_path(const std::string& directory, std::string_view relative) {
  if (relative.empty()) return directory;
  return (directory == "/" ? "" : directory) + "/" + std::string(relative);
}

std::string relative_to(const std::string& path, const std::string& directory) {
  if (path.size() <= directory.size()) return "";
  return path.substr(directory == "/" ? 1 : directory.size() + 1);
}

Result<std::string> resolve_host_path(const std::string& path,
                                      const std::vector<std::string>& changeable) {
  std::string at = "/", rest = path;
  for (int links = 0;;) {
    const std::string part = take_part(rest);
    if (part.empty()) return at;
    if (part == ".") continue;
    if (part == "..") {
      at.resize(std::max<size_t>(at.rfind('/'), 1));
      continue;
    }
    const std::string next = join_path(at, part);
    struct stat status {};
    if (::lstat(next.c_str(), &status) != 0) {
      Error error = fail_errno(errno, path, "correct the rule, or make it first").value();
      error.code = ErrorCode::usage;
      return fail(std::move(error));
    }
    if (!S_ISLNK(status.st_mode)) {
      at = next;
      continue;
    }
    for (const std::string& tree : changeable)
      if (is_beneath(at, tree))
        return fail(ErrorCode::usage, path + ": " + next + " is a link that an agent may change",
                    "name what it points to");
    if (++links > k_most_links) return fail_errno(ELOOP, path);
    const std::string text = TRY(link_text(next));
    rest = text + rest;
    if (text.starts_with('/')) at = "/";
  }
}

Result<std::string> resolve_in_root(const std::string& root, const std::string& path) {
  std::string at = "/", rest = path;
  for (int links = 0;;) {
    const std::string part = take_part(rest);
    if (part.empty()) return at;
    if (part == ".") continue;
    if (part == "..") {
      at.resize(std::max<size_t>(at.rfind('/'), 1));
      continue;
    }
    const std::string next = join_path(at, part);
    struct stat status {};
    const bool link = ::lstat((root + next).c_str(), &status) == 0 && S_ISLNK(status.st_mode);
    if (!link) {
      at = next;
      continue;
    }
    if (++links > k_most_links) return fail_errno(ELOOP, path);
    const std::string text = TRY(link_text(root + next));
    if (text.starts_with('/')) at = "/";
    rest = text + "/" + rest;
  }
}

Result<Fd> open_in_root(const Fd& root, const std::string& path, int flags) {
  return open_restricted(root.get(), path, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

Result<Fd> open_beneath(const Fd& directory, const std::string& relative, int flags,
                        unsigned mode) {
  return open_restricted(directory.get(), relative.empty() ? "." : relative, flags, mode,
                         RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH);
}

Result<Fd> open_resolved(const std::string& path, int flags) {
  return open_restricted(AT_FDCWD, path, flags, 0, RESOLVE_NO_SYMLINKS);
}

PathKind kind_beneath(const Fd& directory, const std::string& relative) {
  const size_t slash = relative.rfind('/');
  auto parent = open_beneath(directory, slash == std::string::npos ? "" : relative.substr(0, slash),
                             O_PATH | O_DIRECTORY);
  if (!parent) return PathKind::absent;
  const std::string name = slash == std::string::npos ? relative : relative.substr(slash + 1);
  struct stat status {};
  if (::fstatat(parent->get(), name.c_str(), &status,
                AT_SYMLINK_NOFOLLOW | (name.empty() ? AT_EMPTY_PATH : 0)) != 0)
    return PathKind::absent;
  if (S_ISLNK(status.st_mode)) return PathKind::link;
  return S_ISDIR(status.st_mode) ? PathKind::directory : PathKind::file;
}

}  // namespace fabric
