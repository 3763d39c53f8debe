// SPDX-License-Identifier: Apache-2.0
#include "isolation/one_shot_disk.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/size.hpp"
#include "isolation/disk_usage.hpp"

namespace fabric {
namespace {

constexpr Duration k_measure = Duration::seconds(5);
// Of the time, at most a twentieth goes into measuring out of habit, a fifth when there is cause.
constexpr int64_t k_habit = 20, k_cause = 5;
constexpr uint64_t k_little = uint64_t{1} << 20;

// 0: there is none, or it is not ours to look at.
ino_t pid_namespace_of(const std::string& process) {
  struct stat status {};
  return ::stat((process + "/ns/pid").c_str(), &status) == 0 ? status.st_ino : 0;
}

std::vector<pid_t> processes_beside(pid_t init) {
  std::vector<pid_t> found;
  const ino_t own = pid_namespace_of("/proc/self");
  const ino_t wanted = pid_namespace_of("/proc/" + std::to_string(init));
  if (wanted == 0 || wanted == own) return found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid > 0 && pid_namespace_of(entry.path().string()) == wanted) found.push_back(pid);
  }
  return found;
}

}  // namespace

uint64_t OneShotDisk::free_bytes() const {
  struct statvfs status {};
  if (::statvfs(directory_.c_str(), &status) != 0) return 0;
  return uint64_t{status.f_bfree} * status.f_frsize;
}

bool OneShotDisk::due(MonoTime now) const {
  const Duration since = now - measured_at_;
  if (since.ns < took_.ns * k_cause) return false;
  if (since.ns >= std::max(k_measure.ns, took_.ns * k_habit)) return true;
  const uint64_t left = limit_ > used_ ? limit_ - used_ : 0;
  const uint64_t free_now = free_bytes();
  const uint64_t went = free_then_ > free_now ? free_then_ - free_now : 0;
  return went >= std::max(left / 2, k_little);
}

std::optional<std::string> OneShotDisk::measure(const std::vector<pid_t>& processes) {
  const MonoTime began = system_clock().monotonic();
  free_then_ = free_bytes();
  const auto usage = measure_directory(directory_, processes);
  measured_at_ = system_clock().monotonic();
  took_ = measured_at_ - began;
  if (!usage) return std::nullopt;
  used_ = usage->bytes;
  if (usage->too_deep)
    return "the work directory has directories nested more than " +
           std::to_string(k_deepest_directory) + " deep, which its limit does not allow";
  if (used_ <= limit_) return std::nullopt;
  return "the work directory held " + human_size(used_) + ", more than its limit of " +
         human_size(limit_);
}

Status OneShotDisk::begin() {
  const auto over = measure({});
  if (!over) return {};
  return fail(ErrorCode::usage, *over, "give it more, or take another directory: --work DIR");
}

std::optional<std::string> OneShotDisk::look(pid_t init) {
  if (!due(system_clock().monotonic())) return std::nullopt;
  return measure(processes_beside(init));
}

}  // namespace fabric
