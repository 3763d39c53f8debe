// SPDX-License-Identifier: Apache-2.0
// System calls in words that a search engine knows. Numbers are those of x86-64's and the generic
// headers (sys/socket.h, asm-generic/ioctls.h, linux/sched.h).
#include <sys/syscall.h>

#include <array>
#include <cstdio>
#include <span>
#include <utility>

#include "supervisor/violations.hpp"

namespace fabric {
namespace {

using Name = std::pair<uint64_t, const char*>;

constexpr auto k_families = std::to_array<Name>(
    {{1, "AF_UNIX"},      {2, "AF_INET"},       {3, "AF_AX25"},   {4, "AF_IPX"},
     {5, "AF_APPLETALK"}, {9, "AF_X25"},        {10, "AF_INET6"}, {15, "AF_KEY"},
     {16, "AF_NETLINK"},  {17, "AF_PACKET"},    {21, "AF_RDS"},   {29, "AF_CAN"},
     {30, "AF_TIPC"},     {31, "AF_BLUETOOTH"}, {38, "AF_ALG"},   {39, "AF_NFC"},
     {40, "AF_VSOCK"},    {42, "AF_QIPCRTR"},   {43, "AF_SMC"},   {44, "AF_XDP"}});
constexpr auto k_requests = std::to_array<Name>({{0x5412, "TIOCSTI"},
                                                 {0x541c, "TIOCLINUX"},
                                                 {0x541d, "TIOCCONS"},
                                                 {0x5423, "TIOCSETD"},
                                                 {0x401c5820, "FS_IOC_FSSETXATTR"},
                                                 {0x40086602, "FS_IOC_SETFLAGS"},
                                                 {0x40046602, "FS_IOC32_SETFLAGS"}});
constexpr auto k_namespaces = std::to_array<Name>({{0x00020000, "CLONE_NEWNS"},
                                                   {0x02000000, "CLONE_NEWCGROUP"},
                                                   {0x04000000, "CLONE_NEWUTS"},
                                                   {0x08000000, "CLONE_NEWIPC"},
                                                   {0x10000000, "CLONE_NEWUSER"},
                                                   {0x20000000, "CLONE_NEWPID"},
                                                   {0x40000000, "CLONE_NEWNET"}});

std::string name_of(std::span<const Name> names, uint64_t value) {
  for (const auto& [number, name] : names)
    if (number == value) return name;
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(value));
  return text.data();
}

std::string bits_of(std::span<const Name> names, uint64_t value) {
  std::string text;
  for (const auto& [bit, name] : names)
    if ((value & bit) != 0) text += (text.empty() ? "" : "|") + std::string(name);
  return text;
}

std::string with_mode(const std::string& name, uint64_t mode) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "(mode 0%llo)",
                static_cast<unsigned long long>(mode & 07777));
  return name + text.data();
}

// Below the mask of a condition the kernel ignores the upper half, and so do we.
constexpr uint64_t k_int = 0xffffffff;
constexpr int k_fchmodat2 = 452;  // newer than the headers of Debian 12

}  // namespace

std::string describe_call(const DeniedCall& denied) {
  const std::string name = seccomp_call_name(denied.call);
  const auto& a = denied.arguments;
  switch (denied.call) {
    case SYS_socket: {
      const std::string family = name_of(k_families, a[0] & k_int);
      if (denied.rule.starts_with("raw")) return name + "(" + family + ", SOCK_RAW)";
      const std::string protocol = a[2] != 0 ? ", protocol " + std::to_string(a[2] & k_int) : "";
      return name + "(" + family + protocol + ")";
    }
    case SYS_ioctl:
      return name + "(" + name_of(k_requests, a[1] & k_int) + ")";
    case SYS_clone:
      return name + "(" + bits_of(k_namespaces, a[0]) + ")";
    case SYS_personality:
      return name + "(" + name_of({}, a[0]) + ")";
    case SYS_chmod:
    case SYS_fchmod:
    case SYS_creat:
    case SYS_mknod:
      return with_mode(name, a[1]);
    case SYS_open:
    case SYS_fchmodat:
    case SYS_mknodat:
    case k_fchmodat2:
      return with_mode(name, a[2]);
    case SYS_openat:
      return with_mode(name, a[3]);
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_sendmmsg:
      return denied.rule.starts_with("TCP Fast Open") ? name + "(MSG_FASTOPEN)" : name;
    case SYS_setsockopt:
      return a[1] == 6 ? name + "(IPPROTO_TCP, " + std::to_string(a[2] & k_int) + ")" : name;
    default:
      return name;
  }
}

}  // namespace fabric
