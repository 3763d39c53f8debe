// SPDX-License-Identifier: Apache-2.0
#include "base/users.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "base/fd.hpp"

namespace fabric {

namespace {

constexpr size_t k_longest_line = 65536;

using File = std::unique_ptr<FILE, int (*)(FILE*)>;

std::optional<User> user_in(FILE* file, uid_t uid) {
  std::vector<char> buffer(k_longest_line);
  passwd entry{};
  passwd* found = nullptr;
  while (file != nullptr &&
         ::fgetpwent_r(file, &entry, buffer.data(), buffer.size(), &found) == 0 && found)
    if (entry.pw_uid == uid) return User{entry.pw_name, entry.pw_dir, entry.pw_gid};
  return std::nullopt;
}

std::optional<UserGroup> group_in(FILE* file, gid_t gid) {
  std::vector<char> buffer(k_longest_line);
  group entry{};
  group* found = nullptr;
  while (file != nullptr &&
         ::fgetgrent_r(file, &entry, buffer.data(), buffer.size(), &found) == 0 && found) {
    if (entry.gr_gid != gid) continue;
    UserGroup made{entry.gr_name, {}};
    for (char** member = entry.gr_mem; member != nullptr && *member != nullptr; ++member)
      made.members.emplace_back(*member);
    return made;
  }
  return std::nullopt;
}

// What getent(1) prints about `number` is a line of the file.
std::string ask(const char* database, const std::string& number) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  const Fd ours(ends[0]);
  Fd theirs(ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), 1);
  ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  const std::array<const char*, 4> argv{"getent", database, number.c_str(), nullptr};
  const std::array<const char*, 1> clean{nullptr};
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, "/usr/bin/getent", &actions, nullptr,
                    const_cast<char* const*>(argv.data()), const_cast<char* const*>(clean.data()));
  ::posix_spawn_file_actions_destroy(&actions);
  theirs.reset();
  if (error != 0) return {};
  auto line = read_all(ours.get(), size_t{1} << 20);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return line ? *line : std::string();
}

File as_file(std::string& text) {
  return {text.empty() ? nullptr : ::fmemopen(text.data(), text.size(), "r"), &std::fclose};
}

}  // namespace

std::optional<User> find_user(uid_t uid) {
  const File file(std::fopen("/etc/passwd", "re"), &std::fclose);
  if (auto found = user_in(file.get(), uid)) return found;
  std::string line = ask("passwd", std::to_string(uid));
  return user_in(as_file(line).get(), uid);
}

std::optional<UserGroup> find_group(gid_t gid) {
  const File file(std::fopen("/etc/group", "re"), &std::fclose);
  if (auto found = group_in(file.get(), gid)) return found;
  std::string line = ask("group", std::to_string(gid));
  return group_in(as_file(line).get(), gid);
}

}  // namespace fabric
