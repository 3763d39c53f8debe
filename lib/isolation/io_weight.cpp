// SPDX-License-Identifier: Apache-2.0
#include "isolation/io_weight.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "isolation/cgroup_file.hpp"

namespace fabric {

namespace {

struct Disk {
  std::string number;  // "8:1"
  std::string queue;   // its directory in /sys; "" when it is no disk
};

// Of a partition the queue is its disk's.
Disk disk_of(const std::string& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) return {};
  Disk disk;
  disk.number = std::to_string(major(status.st_dev)) + ":" + std::to_string(minor(status.st_dev));
  for (const char* up : {"/queue", "/../queue"}) {
    const std::string queue = "/sys/dev/block/" + disk.number + up;
    if (::access((queue + "/scheduler").c_str(), R_OK) != 0) continue;
    disk.queue = queue;
    break;
  }
  return disk;
}

bool has_bfq(const Disk& disk) {
  auto text = read_file(disk.queue + "/scheduler", 4096);
  return text && text->find("[bfq]") != std::string::npos;
}

// The file at the top of the hierarchy has a line a disk: "8:0 enable=1 ctrl=...".
bool has_io_cost(const CgroupHost& host, const Disk& disk) {
  if (host.mode != CgroupMode::v2) return false;
  auto text = read_file("/sys/fs/cgroup/io.cost.qos", size_t{64} << 10);
  if (!text) return false;
  const std::string lines = "\n" + *text;
  const size_t at = lines.find("\n" + disk.number + " ");
  if (at == std::string::npos) return false;
  return lines.substr(at, lines.find('\n', at + 1) - at).find(" enable=1") != std::string::npos;
}

std::string v1_group(const CgroupHost& host, const std::string& name) {
  return host.blkio_path + "/" + name;
}

Status enable_v2(const CgroupHost& host, const std::string& name) {
  const std::string parent = host.unified.path.substr(0, host.unified.path.rfind('/'));
  const Fd above = TRY(open_file(parent, O_RDONLY | O_DIRECTORY));
  TRY_STATUS(write_control(above, "cgroup.subtree_control", "+io"));
  TRY_STATUS(write_control(host.unified.directory, "cgroup.subtree_control", "+io"));
  return write_control(host.unified.directory, name + "/cgroup.subtree_control", "+io");
}

// The files that there are, with what each is to say. A kernel may have both: then each scheduler
// reads its own.
Status set_v2(const CgroupHost& host, const std::string& name, uint32_t weight) {
  TRY_STATUS(enable_v2(host, name));
  const Fd& base = host.unified.directory;
  bool any = false;
  for (const auto& [file, value] : {std::pair{"/work/io.weight", weight},
                                    std::pair{"/work/io.bfq.weight", bfq_weight(weight)}}) {
    if (::faccessat(base.get(), (name + file).c_str(), W_OK, 0) != 0) continue;
    TRY_STATUS(write_control(base, name + file, std::to_string(value)));
    any = true;
  }
  if (any) return {};
  return fail(ErrorCode::unavailable, "io weight: the kernel has no io.weight for a cgroup");
}

Status set_v1(const CgroupHost& host, const std::string& name, uint32_t weight,
              SandboxCgroup& made) {
  const std::string group = v1_group(host, name);
  for (const std::string& path : {host.blkio_path, group})
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
      return fail_errno(errno, "making cgroup " + path);
  const Fd directory = TRY(open_file(group, O_RDONLY | O_DIRECTORY));
  TRY_STATUS(write_control(directory, "blkio.bfq.weight", std::to_string(bfq_weight(weight))));
  made.join.push_back(TRY(open_at(directory, "tasks", O_WRONLY)));
  return {};
}

}  // namespace

uint32_t bfq_weight(uint32_t weight) {
  return weight <= 100 ? std::max(weight, 1U) : 100 + (weight - 100) * 900 / 9900;
}

Status check_io_weight(const CgroupHost& host, const std::string& directory) {
  const Disk disk = disk_of(directory);
  if (disk.queue.empty())
    return fail(ErrorCode::unavailable,
                "io weight: " + directory + " is on no single disk whose scheduler could heed it",
                "leave it out: --io-weight none");
  if (!has_bfq(disk) && !has_io_cost(host, disk))
    return fail(ErrorCode::unavailable,
                "io weight: the scheduler of the disk of " + directory + " does not heed it",
                "as root: echo bfq > " + disk.queue + "/scheduler; or leave it out");
  const bool possible = host.mode == CgroupMode::v2 || !host.blkio_path.empty();
  if (possible) return {};
  return fail(ErrorCode::unavailable, "io weight: no cgroup with the io controller",
              "leave it out: --io-weight none");
}

Status set_io_weight(const CgroupHost& host, const std::string& name, uint32_t weight,
                     SandboxCgroup& made) {
  if (weight == 0) return {};
  return host.mode == CgroupMode::v2 ? set_v2(host, name, weight)
                                     : set_v1(host, name, weight, made);
}

Status check_io_weight_in_force(const CgroupHost& host, const std::string& name, uint32_t weight) {
  if (weight == 0) return {};
  const bool v2 = host.mode == CgroupMode::v2;
  const std::string group = v2 ? host.unified.path + "/" + name + "/work" : v1_group(host, name);
  // "100", or "default 100" and a line a disk.
  for (const auto& [file, value] :
       {std::pair{v2 ? "/io.weight" : "/blkio.bfq.weight", v2 ? weight : bfq_weight(weight)},
        std::pair{"/io.bfq.weight", bfq_weight(weight)}}) {
    auto text = read_file(group + file, 4096);
    if (!text) continue;
    const std::string first = text->substr(0, text->find('\n'));
    if (first.substr(first.rfind(' ') + 1) == std::to_string(value)) return {};
    return fail(ErrorCode::failed, "a limit is not in force: cgroup: " + group + file + " is " +
                                       first + ", not " + std::to_string(value));
  }
  return fail(ErrorCode::failed, "a limit is not in force: no io weight in cgroup " + group);
}

}  // namespace fabric
