// SPDX-License-Identifier: Apache-2.0
#include "bench_bwrap.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.hpp"
#include "bench_support.hpp"

namespace fabric::bench {
namespace {

using Words = std::vector<std::string>;

sock_filter filter[] = {
#include "isolation/builtin_filter.inc"
};

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

}  // namespace

std::string write_filter(const std::string& directory) {
  for (sock_filter& step : filter)
    if (step.code == (BPF_RET | BPF_K) && (step.k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRACE)
      step.k = SECCOMP_RET_ERRNO | EPERM;
  const std::string path = directory + "/filter";
  need(write_file_atomically(path, {reinterpret_cast<const char*>(filter), sizeof filter}, 0644));
  return path;
}

Words bwrap_alike(const std::string& work, const Words& command) {
  Words argv{"bwrap",      "--unshare-all", "--uid",         "65534",
             "--gid",      "65534",         "--hostname",    "sandbox",
             "--ro-bind",  "/usr",          "/usr",          "--proc",
             "/proc",      "--dev",         "/dev",          "--bind",
             work,         "/work",         "--chdir",       "/work",
             "--cap-drop", "ALL",           "--clearenv",    "--setenv",
             "PATH",       "/usr/bin:/bin", "--new-session", "--die-with-parent"};
  const auto add = [&](const Words& words) { argv.insert(argv.end(), words.begin(), words.end()); };
  for (const char* name : {"bin", "sbin", "lib", "lib32", "lib64", "libx32"})
    if (exists(std::string("/") + name))
      add({"--symlink", std::string("usr/") + name, std::string("/") + name});
  for (const char* path :
       {"/opt", "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/protocols",
        "/etc/services", "/etc/os-release", "/etc/fonts", "/etc/ssl/certs", "/etc/ssl/openssl.cnf",
        "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/hosts"})
    if (exists(path)) add({"--ro-bind", path, path});
  for (const char* name : {"sys", "irq", "bus"})
    if (exists(std::string("/proc/") + name)) {
      const std::string path = std::string("/proc/") + name;
      add({"--ro-bind", path, path});
    }
  for (const char* path : {"/tmp", "/dev/shm"}) add({"--size", "268435456", "--tmpfs", path});
  for (const char* name : {"acpi", "asound", "fs", "scsi"}) {
    struct stat status {};
    const std::string path = std::string("/proc/") + name;
    if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 0006) != 0)
      add({"--tmpfs", path, "--remount-ro", path});
  }
  for (const char* name : {"config.gz", "iomem", "ioports", "kallsyms", "key-users", "keys",
                           "kpagecgroup", "latency_stats", "modules", "sched_debug", "schedstat"}) {
    struct stat status {};
    const std::string path = std::string("/proc/") + name;
    if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 0006) != 0)
      add({"--ro-bind", "/dev/null", path});
  }
  add({"--seccomp", std::to_string(k_filter_fd)});
  add(command);
  return argv;
}

}  // namespace fabric::bench
