// SPDX-License-Identifier: Apache-2.0
#include "isolation/sandbox_cgroup.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "isolation/cgroup_file.hpp"
#include "isolation/io_weight.hpp"

namespace fabric {

uint64_t cpu_quota_us(const Limits& limits) {
  return std::max<uint64_t>(uint64_t{limits.cpu_millicores} * k_cpu_period_us / 1000, 1000);
}

namespace {

std::string slot_name(uint32_t slot) { return "slot" + std::to_string(slot); }

Status give(const Fd& base, const std::string& group, std::optional<uint32_t> uid) {
  if (!uid) return {};
  const std::string path = group + "/cgroup.procs";
  if (::fchownat(base.get(), path.c_str(), *uid, static_cast<gid_t>(-1), 0) != 0)
    return fail_errno(errno, "cgroup: handing over " + path);
  return {};
}

Status join(SandboxCgroup& made, const CgroupBase& base, const std::string& group) {
  made.join.push_back(TRY(open_at(base.directory, group + "/tasks", O_WRONLY)));
  return {};
}

Status make_v1(SandboxCgroup& made, const CgroupHost& host, const std::string& name,
               const Limits& limits) {
  if (host.memory) {
    const Fd& base = host.memory.directory;
    TRY_STATUS(make_group(base, name));
    if (limits.memory_bytes != 0) {
      const std::string bytes = std::to_string(limits.memory_bytes);
      TRY_STATUS(write_control(base, name + "/memory.limit_in_bytes", bytes));
      // Memory and swap together; only there when the kernel accounts swap.
      if (::faccessat(base.get(), (name + "/memory.memsw.limit_in_bytes").c_str(), W_OK, 0) == 0)
        TRY_STATUS(write_control(base, name + "/memory.memsw.limit_in_bytes", bytes));
    }
    TRY_STATUS(join(made, host.memory, "."));
  }
  if (host.cpu) {
    TRY_STATUS(make_group(host.cpu.directory, name));
    if (limits.cpu_millicores != 0) {
      TRY_STATUS(write_control(host.cpu.directory, name + "/cpu.cfs_quota_us",
                               std::to_string(cpu_quota_us(limits))));
    }
    TRY_STATUS(join(made, host.cpu, name));
  }
  if (host.cpuacct) {
    TRY_STATUS(make_group(host.cpuacct.directory, name));
    TRY_STATUS(join(made, host.cpuacct, name));
  }
  if (host.pids) {
    TRY_STATUS(make_group(host.pids.directory, name));
    if (limits.pids != 0)  // and one for the init
      TRY_STATUS(write_control(host.pids.directory, name + "/pids.max",
                               std::to_string(uint64_t{limits.pids} + 1)));
    TRY_STATUS(join(made, host.pids, name));
  }
  return {};
}

Status make_v2(const CgroupHost& host, const std::string& name, const Limits& limits) {
  const Fd& base = host.unified.directory;
  const std::string work = name + "/work";
  TRY_STATUS(make_group(base, name));
  std::string controllers;
  if (host.memory_limit) controllers += "+memory ";
  if (host.cpu_limit) controllers += "+cpu ";
  if (host.pids_limit) controllers += "+pids";
  if (!controllers.empty())
    TRY_STATUS(write_control(base, name + "/cgroup.subtree_control", controllers));
  TRY_STATUS(make_group(base, name + "/init"));
  TRY_STATUS(make_group(base, work));
  if (host.memory_limit) {
    TRY_STATUS(write_control(base, work + "/cgroup.subtree_control", "+memory"));
    if (limits.memory_bytes != 0) {
      TRY_STATUS(write_control(base, work + "/memory.max", std::to_string(limits.memory_bytes)));
      if (::faccessat(base.get(), (work + "/memory.swap.max").c_str(), W_OK, 0) == 0)
        TRY_STATUS(write_control(base, work + "/memory.swap.max", "0"));
    }
  }
  if (host.cpu_limit && limits.cpu_millicores != 0)
    TRY_STATUS(write_control(
        base, work + "/cpu.max",
        std::to_string(cpu_quota_us(limits)) + " " + std::to_string(k_cpu_period_us)));
  if (host.pids_limit && limits.pids != 0)
    TRY_STATUS(write_control(base, work + "/pids.max", std::to_string(limits.pids)));
  return {};
}

// What is told of them is a courtesy: it may be missing.
void open_counters(SandboxCgroup& made, const CgroupHost& host, const std::string& name) {
  const auto open = [&](const CgroupBase& base, const std::string& path) {
    return base ? open_at(base.directory, path, O_RDONLY).value_or(Fd()) : Fd();
  };
  const bool v2 = host.mode == CgroupMode::v2;
  made.cpu_stat = open(v2 ? host.unified : host.cpu, name + (v2 ? "/work/cpu.stat" : "/cpu.stat"));
  made.pids_events =
      open(v2 ? host.unified : host.pids, name + (v2 ? "/work/pids.events" : "/pids.events"));
}

Status make_all(SandboxCgroup& made, const CgroupHost& host, const std::string& name,
                const Limits& limits, uint32_t slots, std::optional<uint32_t> uid) {
  const bool v2 = host.mode == CgroupMode::v2;
  if (v2)
    TRY_STATUS(make_v2(host, name, limits));
  else
    TRY_STATUS(make_v1(made, host, name, limits));
  TRY_STATUS(set_io_weight(host, name, limits.io_weight, made));
  const Fd& unified = host.unified.directory;
  if (host.unified) {
    if (!v2) TRY_STATUS(make_group(unified, name));
    made.into = TRY(open_group(unified, v2 ? name + "/init" : name));
    TRY_STATUS(give(unified, name, uid));
  }
  open_counters(made, host, name);
  for (uint32_t slot = 0; slot < slots; ++slot) {
    SandboxCgroup::Leaf& leaf = made.leaves.emplace_back();
    if (host.unified) {
      const std::string path = name + (v2 ? "/work/" : "/") + slot_name(slot);
      TRY_STATUS(make_group(unified, path));
      TRY_STATUS(give(unified, path, uid));
      if (v2 && host.memory_limit)  // all of an attempt dies of memory together
        TRY_STATUS(write_control(unified, path + "/memory.oom.group", "1"));
      leaf.unified = TRY(open_group(unified, path));
    }
    if (host.memory) {
      const std::string path = name + "/" + slot_name(slot);
      TRY_STATUS(make_group(host.memory.directory, path));
      leaf.memory = TRY(open_group(host.memory.directory, path));
    }
  }
  return {};
}

}  // namespace

Result<SandboxCgroup> make_sandbox_cgroup(const CgroupHost& host, const std::string& name,
                                          const Limits& limits, uint32_t slots,
                                          std::optional<uint32_t> uid) {
  SandboxCgroup made;
  if (host.mode == CgroupMode::none) {
    made.leaves.resize(slots);
    return made;
  }
  Status status = make_all(made, host, name, limits, slots, uid);
  if (status) return made;
  made = SandboxCgroup{};
  (void)remove_sandbox_cgroup(host, name, Duration::seconds(1));
  return fail(std::move(status).error());
}

Status hand_to_init(const Fd& unified, const Fd& memory, uint32_t uid, uint32_t gid) {
  for (const auto& [group, names] :
       {std::pair<const Fd*, std::vector<const char*>>{&unified, {"cgroup.freeze", "memory.peak"}},
        {&memory, {"tasks", "memory.max_usage_in_bytes"}}}) {
    if (!group->valid()) continue;
    for (const char* name : names)
      if (::fchownat(group->get(), name, uid, gid, 0) != 0 && errno != ENOENT)
        return fail_errno(errno, std::string("cgroup: handing over ") + name);
  }
  return {};
}

}  // namespace fabric
