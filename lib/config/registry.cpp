// SPDX-License-Identifier: Apache-2.0
#include "config/registry.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <vector>

#include "base/fd.hpp"
#include "config/layer_file.hpp"
#include "config/workspace.hpp"

namespace fabric::config {
namespace {

constexpr std::string_view k_header = "# fabric workspaces, version 1";
constexpr size_t k_max_registry = size_t{16} << 20;

Status make_directories(const std::string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
      const int error = errno;
      struct stat info {};
      if (::stat(part.c_str(), &info) != 0) return fail_errno(error, part);
    }
    if (slash == std::string::npos) return {};
  }
}

std::string to_line(const Registration& r) {
  char numbers[128];
  std::snprintf(numbers, sizeof numbers, "%ju %ju %ju %ju ", uintmax_t{r.workspace.device},
                uintmax_t{r.workspace.inode}, uintmax_t{r.state.device}, uintmax_t{r.state.inode});
  return numbers + r.root + "\n";
}

// False for lines that are not ours; they are dropped at the next writing.
bool from_line(const std::string& line, Registration& r) {
  uintmax_t n[4]{};
  int used = 0;
  if (std::sscanf(line.c_str(), "%ju %ju %ju %ju %n", &n[0], &n[1], &n[2], &n[3], &used) != 4 ||
      used == 0)
    return false;
  r.workspace = {static_cast<dev_t>(n[0]), static_cast<ino_t>(n[1])};
  r.state = {static_cast<dev_t>(n[2]), static_cast<ino_t>(n[3])};
  r.root = line.substr(static_cast<size_t>(used));
  return r.root.starts_with('/');
}

Result<std::vector<Registration>> read_registry(const std::string& path) {
  std::vector<Registration> list;
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file && (errno == ENOENT || errno == ENOTDIR)) return list;
  if (!file) return fail_errno(errno, path);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return fail_errno(errno, path);
  if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & 022))
    return fail(ErrorCode::denied, path + ": is not a file that only you can write",
                "look at it, then: rm " + shell_word(path));
  const std::string text = TRY(in_context(read_all(file.get(), k_max_registry), path));
  size_t begin = 0;
  for (size_t end = 0; begin < text.size(); begin = end + 1) {
    end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    if (begin == 0 && line != k_header)
      return fail(ErrorCode::failed, path + ": was written by another version of fabric");
    Registration registration;
    if (from_line(line, registration)) list.push_back(std::move(registration));
  }
  return list;
}

}  // namespace

Result<Trust> look_up(const Registration& registration) {
  const std::string path = TRY(user_state_dir()) + "/workspaces";
  for (const Registration& known : TRY(read_registry(path)))
    if (known.root == registration.root)
      return known.workspace == registration.workspace && known.state == registration.state
                 ? Trust::trusted
                 : Trust::changed;
  return Trust::unknown;
}

Status register_workspace(const Registration& registration) {
  if (registration.root.find_first_of("\n\r") != std::string::npos)
    return fail(ErrorCode::usage, "the path of a workspace cannot contain a line break");
  const std::string directory = TRY(user_state_dir());
  TRY_STATUS(make_directories(directory));
  const Fd lock =
      TRY(open_file(directory + "/workspaces.lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  while (::flock(lock.get(), LOCK_EX) != 0)
    if (errno != EINTR) return fail_errno(errno, directory + "/workspaces.lock");

  std::string text = std::string(k_header) + "\n";
  for (const Registration& known : TRY(read_registry(directory + "/workspaces")))
    if (known.root != registration.root) text += to_line(known);
  text += to_line(registration);
  return write_file_atomically(directory + "/workspaces", text, 0600);
}

}  // namespace fabric::config
