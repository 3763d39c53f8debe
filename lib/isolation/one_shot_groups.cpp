// SPDX-License-Identifier: Apache-2.0
#include "isolation/one_shot_groups.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <thread>

#include "isolation/cgroup_file.hpp"
#include "isolation/init_wire.hpp"
#include "isolation/io_weight.hpp"

namespace fabric {

namespace {

constexpr const char* k_group = "sandbox";  // of v2
constexpr time_t k_abandoned_after = 60;

Status set(const Fd& group, const char* file, uint64_t value) {
  const std::string text = std::to_string(value);
  TRY_STATUS(write_control(group, file, text));
  const uint64_t now = TRY(read_number(group, file));
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  if (now == value || now == value / page * page) return {};
  return fail(ErrorCode::failed, std::string("a limit is not in force: ") + file + " is " +
                                     std::to_string(now) + ", not " + text);
}

void remove_tree(const Fd& base, const std::string& path) {
  for (const std::string& child : child_groups(base, path)) remove_tree(base, path + "/" + child);
  ::unlinkat(base.get(), path.c_str(), AT_REMOVEDIR);
}

// A task leaves its group a moment after it was reaped (since Linux 6.18).
void remove_group(const std::string& path) {
  using namespace std::chrono_literals;
  for (int round = 0; round < 200; ++round) {
    if (::rmdir(path.c_str()) == 0 || errno != EBUSY) return;
    if (round < 20)
      ::sched_yield();
    else
      std::this_thread::sleep_for(round < 100 ? 50us : 5ms);
  }
}

}  // namespace

OneShotGroups::~OneShotGroups() { remove(); }

bool OneShotGroups::before_the_init() {
  struct statfs status {};
  return ::statfs("/sys/fs/cgroup", &status) == 0 &&
         static_cast<unsigned long>(status.f_type) == CGROUP2_SUPER_MAGIC;
}

Status OneShotGroups::find(const std::string& name, const Limits& wanted,
                           const std::string& mounts) {
  const bool any = wanted.memory_bytes != 0 || wanted.cpu_millicores != 0 || wanted.pids != 0 ||
                   wanted.io_weight != 0;
  if (!any) return {};
  WantedGroups groups;
  groups.memory = wanted.memory_bytes != 0;
  groups.cpu = wanted.cpu_millicores != 0;
  groups.pids = wanted.pids != 0;
  groups.cpuacct = false;
  groups.unified = before_the_init();
  host_ = TRY(open_cgroup_host(name, groups, mounts));
  return {};
}

Status OneShotGroups::enforce(const Limits& limits, std::optional<uint32_t> uid) {
  if (host_.mode == CgroupMode::none) return {};
  if (host_.mode == CgroupMode::v2) {
    made_ = TRY(make_sandbox_cgroup(host_, k_group, limits, 1, uid));
    return check_io_weight_in_force(host_, k_group, limits.io_weight);
  }
  if (limits.memory_bytes != 0) {
    const Fd& memory = host_.memory.directory;
    TRY_STATUS(set(memory, "memory.limit_in_bytes", limits.memory_bytes));
    if (::faccessat(memory.get(), "memory.memsw.limit_in_bytes", W_OK, 0) == 0)
      TRY_STATUS(set(memory, "memory.memsw.limit_in_bytes", limits.memory_bytes));
  }
  if (limits.cpu_millicores != 0)
    TRY_STATUS(set(host_.cpu.directory, "cpu.cfs_quota_us", cpu_quota_us(limits)));
  if (limits.pids != 0) TRY_STATUS(set(host_.pids.directory, "pids.max", limits.pids));
  if (limits.io_weight == 0) return {};
  weighted_ = true;
  SandboxCgroup weighted;
  TRY_STATUS(set_io_weight(host_, k_group, limits.io_weight, weighted));
  for (Fd& join : weighted.join) joins_.push_back(std::move(join));
  return check_io_weight_in_force(host_, k_group, limits.io_weight);
}

Status OneShotGroups::add_parts(uint64_t& flags, std::vector<int>& descriptors) {
  if (made_) {
    flags |= wire::k_part_unified;
    descriptors.push_back(made_->leaves[0].unified.get());
    return {};
  }
  if (host_.memory) {
    flags |= wire::k_part_memory;
    descriptors.push_back(host_.memory.directory.get());
  }
  for (const CgroupBase* base : {&host_.cpu, &host_.pids})
    if (*base) joins_.push_back(TRY(open_at(base->directory, "tasks", O_WRONLY)));
  for (const Fd& join : joins_) descriptors.push_back(join.get());
  return {};
}

void OneShotGroups::remove() {
  if (made_) {
    made_.reset();
    (void)remove_sandbox_cgroup(host_, k_group, Duration::seconds(10));
  }
  if (host_.mode == CgroupMode::v2)
    leave_cgroup_host(host_);
  else
    for (const CgroupBase* base : host_.all()) remove_group(base->path);
  if (weighted_)
    for (const std::string& path : {host_.blkio_path + "/" + k_group, host_.blkio_path})
      remove_group(path);
  weighted_ = false;
  host_ = CgroupHost{};
}

void OneShotGroups::sweep(const std::string& prefix) const {
  for (const CgroupBase* base : host_.all()) {
    auto above = open_file(base->path.substr(0, base->path.rfind('/')), O_RDONLY | O_DIRECTORY);
    if (!above) continue;
    for (const std::string& name : child_groups(*above, ".")) {
      struct stat status {};
      if (!name.starts_with(prefix) || base->path.ends_with("/" + name)) continue;
      // One that is just being made is empty too; a busy one cannot be removed.
      if (::fstatat(above->get(), name.c_str(), &status, 0) != 0) continue;
      if (status.st_ctime + k_abandoned_after > ::time(nullptr)) continue;
      remove_tree(*above, name);
    }
  }
}

}  // namespace fabric
