// SPDX-License-Identifier: Apache-2.0
#include "isolation/mount_plan.hpp"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <string_view>
#include <utility>

#include "base/fd.hpp"

namespace fabric {

namespace {

enum class Kind { absent, file, directory, link };

Kind kind_of(const std::string& path, std::string* link_text = nullptr) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return Kind::absent;
  if (S_ISLNK(status.st_mode)) {
    std::array<char, PATH_MAX> text{};
    ssize_t size = ::readlink(path.c_str(), text.data(), text.size());
    if (size > 0 && link_text != nullptr) link_text->assign(text.data(), static_cast<size_t>(size));
    return size > 0 ? Kind::link : Kind::absent;
  }
  return S_ISDIR(status.st_mode) ? Kind::directory : Kind::file;
}

// A small text is copied into the new root, which costs less than a mount and its removal.
void add_file(MountPlan& plan, const std::string& target) {
  constexpr size_t k_small = 16384;
  struct stat status {};
  const bool small =
      ::stat(("/" + target).c_str(), &status) == 0 && status.st_size <= static_cast<off_t>(k_small);
  auto text = small ? read_file("/" + target, 2 * k_small) : Result<std::string>(std::string());
  if (small && text && text->size() <= k_small && text->find('\0') == std::string::npos)
    plan.push_back({wire::k_text_file, std::move(*text), target});
  else
    plan.push_back({wire::k_bind_file, "/" + target, target});
}

void add_host_path(MountPlan& plan, const std::string& target) {
  std::string text;
  switch (kind_of("/" + target, &text)) {
    case Kind::directory:
      plan.push_back({wire::k_bind_dir, "/" + target, target});
      break;
    case Kind::file:
      add_file(plan, target);
      break;
    case Kind::link:
      plan.push_back({wire::k_symlink, text, target});
      break;
    case Kind::absent:
      break;
  }
}

// Of the names in /etc, which are many, those that programs look for by a part of the name.
std::vector<std::string> wanted_in_etc() {
  std::vector<std::string> names;
  DIR* directory = ::opendir("/etc");
  if (directory == nullptr) return names;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view name = entry->d_name;
    for (std::string_view prefix : {"java-", "fonts", "pki"})
      if (name.starts_with(prefix)) names.emplace_back(name);
  }
  ::closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

void add_devices(MountPlan& plan) {
  plan.push_back({wire::k_directory, "", "dev", 0755});
  for (const char* name : {"null", "zero", "full", "random", "urandom", "tty"})
    plan.push_back({wire::k_device, std::string("/dev/") + name, std::string("dev/") + name});
  plan.push_back({wire::k_devpts, "", "dev/pts"});
  plan.push_back({wire::k_symlink, "pts/ptmx", "dev/ptmx"});
  plan.push_back({wire::k_symlink, "/proc/self/fd", "dev/fd"});
  plan.push_back({wire::k_symlink, "/proc/self/fd/0", "dev/stdin"});
  plan.push_back({wire::k_symlink, "/proc/self/fd/1", "dev/stdout"});
  plan.push_back({wire::k_symlink, "/proc/self/fd/2", "dev/stderr"});
}

// /proc shows the sandbox's own processes, but some of its files are about the machine. The agent's
// uid may write none of them; that it sees them read-only or not at all is a second reason.
void add_proc(MountPlan& plan) {
  plan.push_back({wire::k_proc, "", "proc"});
  for (const char* name : {"proc/sys", "proc/irq", "proc/bus"})
    plan.push_back({wire::k_read_only, "", name});
  // Only what every user may read: the agent is never root on the host, and the kernel refuses it
  // the others (kcore, kmsg, timer_list, slabinfo, kpagecount and their like have mode 0400). A
  // mask is a mount, which each sandbox pays for.
  for (const char* name :
       {"acpi",       "asound",     "config.gz",     "fs",         "iomem",       "ioports",
        "kallsyms",   "kcore",      "key-users",     "keys",       "kmsg",        "kpagecgroup",
        "kpagecount", "kpageflags", "latency_stats", "modules",    "sched_debug", "schedstat",
        "scsi",       "slabinfo",   "sysrq-trigger", "timer_list", "timer_stats", "vmallocinfo"}) {
    struct stat status {};
    const std::string path = std::string("proc/") + name;
    if (::stat(("/" + path).c_str(), &status) == 0 && (status.st_mode & 0006) != 0)
      plan.push_back({wire::k_hide, "", path});
  }
}

// The second wall: Landlock says the same about writing as the mounts do.
void add_rights(MountPlan& plan) {
  constexpr uint32_t k_look = wire::k_allow_read | wire::k_allow_list | wire::k_allow_execute;
  constexpr uint32_t k_change = wire::k_allow_write | wire::k_allow_truncate;
  plan.push_back({wire::k_allow, "", "", k_look});
  plan.push_back({wire::k_allow, "", "proc", k_change});
  plan.push_back({wire::k_allow, "", "dev", k_change | wire::k_allow_ioctl});
  for (const char* name : {"work", "tmp", "dev/shm"})
    plan.push_back({wire::k_allow, "", name, wire::k_allow_all});
}

}  // namespace

MountPlan make_host_plan() {
  MountPlan plan;
  plan.reserve(96);
  for (const char* name : {"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "opt"})
    add_host_path(plan, name);
  // Of /etc what programs need to run, and nothing that could hold a secret.
  plan.push_back({wire::k_directory, "", "etc", 0755});
  for (const char* name : {"ld.so.cache", "alternatives", "localtime", "protocols", "services",
                           "gitconfig", "os-release"})
    add_host_path(plan, std::string("etc/") + name);
  for (const std::string& name : wanted_in_etc()) add_host_path(plan, "etc/" + name);
  if (kind_of("/etc/ssl") == Kind::directory) {
    plan.push_back({wire::k_directory, "", "etc/ssl", 0755});
    for (const char* name : {"etc/ssl/certs", "etc/ssl/openssl.cnf"}) add_host_path(plan, name);
  }
  add_devices(plan);
  add_proc(plan);
  add_rights(plan);
  return plan;
}

MountPlan make_sandbox_plan(const MountPlan& host, uint32_t uid, uint32_t gid,
                            const Limits& limits) {
  MountPlan plan = host;
  const std::string ids = std::to_string(uid) + ":" + std::to_string(gid);
  plan.push_back({wire::k_text_file,
                  "root:x:0:0:root:/:/usr/sbin/nologin\nagent:x:" + ids +
                      ":agent:/work:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
                  "etc/passwd"});
  plan.push_back({wire::k_text_file,
                  "root:x:0:\ntty:x:5:\nagent:x:" + std::to_string(gid) + ":\nnogroup:x:65534:\n",
                  "etc/group"});
  plan.push_back(
      {wire::k_text_file, "passwd: files\ngroup: files\nhosts: files dns\n", "etc/nsswitch.conf"});
  plan.push_back(
      {wire::k_text_file, "127.0.0.1 localhost\n::1 localhost ip6-localhost\n", "etc/hosts"});
  plan.push_back({wire::k_work, "", "work"});
  // Charged to the agent's memory limit like everything it keeps; half of it each, unless it is
  // said otherwise.
  const uint64_t half = limits.memory_bytes != 0 ? limits.memory_bytes / 2 : uint64_t{1} << 30;
  plan.push_back({wire::k_tmpfs, "", "tmp", limits.tmp_bytes != 0 ? limits.tmp_bytes : half});
  plan.push_back({wire::k_tmpfs, "", "dev/shm", limits.shm_bytes != 0 ? limits.shm_bytes : half});
  return plan;
}

}  // namespace fabric
