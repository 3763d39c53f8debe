// SPDX-License-Identifier: Apache-2.0
#include "isolation/run_names.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "isolation/host_path.hpp"
#include "isolation/placeholders.hpp"

namespace fabric {

namespace {

constexpr std::string_view k_alive = ".alive";

bool is_there(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

// The same for all commands of a user, whatever is in their environment.
std::string directory_of_user() {
  const uid_t user = ::geteuid();
  const std::string run = user == 0 ? "/run" : "/run/user/" + std::to_string(user);
  struct stat status {};
  const bool own = ::stat(run.c_str(), &status) == 0 && status.st_uid == user &&
                   ::access(run.c_str(), W_OK) == 0;
  return own ? run + "/fabric-run" : "/tmp/fabric-run-" + std::to_string(user);
}

// Made when it is not there; locked while the descriptor is open.
Result<Fd> lock_directory(const std::string& path) {
  for (;;) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, path);
    auto directory = open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory && errno == ENOENT) continue;  // removed meanwhile
    if (!directory) return directory;
    struct stat status {};
    if (::fstat(directory->get(), &status) != 0) return fail_errno(errno, path);
    if (status.st_uid != ::geteuid() || (status.st_mode & 077) != 0)
      return fail(ErrorCode::denied, path + " is not yours alone", "remove it");
    while (::flock(directory->get(), LOCK_EX) != 0)
      if (errno != EINTR) return fail_errno(errno, path);
    if (::fstat(directory->get(), &status) == 0 && status.st_nlink != 0) return directory;
  }
}

bool still_fits(const PathPlan& plan) {
  return std::all_of(plan.present.begin(), plan.present.end(), is_there) &&
         std::none_of(plan.wanted.begin(), plan.wanted.end(), [](const Placeholder& wanted) {
           return is_there(join_path(wanted.tree, wanted.relative));
         });
}

// Of commands that were killed.
void sweep(const std::string& directory) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string path = entry.path().native();
    if (!path.ends_with(k_alive)) continue;
    auto alive = open_file(path, O_RDONLY | O_NOFOLLOW);
    if (!alive || ::flock(alive->get(), LOCK_EX | LOCK_NB) != 0) continue;
    const std::string base = path.substr(0, path.size() - k_alive.size());
    if (remove_placeholders(placeholder_list(base))) ::unlink(path.c_str());
  }
}

}  // namespace

Result<bool> RunNames::take(const PathPlan& plan) {
  if (plan.wanted.empty() && plan.present.empty()) return true;
  directory_ = directory_of_user();
  const Fd lock = TRY(lock_directory(directory_));
  if (!still_fits(plan)) return false;
  std::string path = directory_ + "/XXXXXX" + std::string(k_alive);
  alive_ = Fd(::mkostemps(path.data(), static_cast<int>(k_alive.size()), O_CLOEXEC));
  if (!alive_ || ::flock(alive_.get(), LOCK_EX | LOCK_NB) != 0) return fail_errno(errno, path);
  base_ = path.substr(0, path.size() - k_alive.size());
  TRY_STATUS(make_placeholders(placeholder_list(base_), plan.wanted, plan.present));
  sweep(directory_);
  return true;
}

Status RunNames::give_back() {
  if (base_.empty()) return {};
  const Fd lock = TRY(lock_directory(directory_));
  const std::string base = std::exchange(base_, "");
  const Status removed = remove_placeholders(placeholder_list(base));
  if (removed) ::unlink((base + std::string(k_alive)).c_str());
  alive_.reset();
  ::rmdir(directory_.c_str());  // of the last one
  return removed;
}

}  // namespace fabric
