// SPDX-License-Identifier: Apache-2.0
// Names and numbers of system calls: libseccomp's, and those that are newer than it. Since 424 a
// call has one number on all architectures (Documentation/process/adding-syscalls.rst).
#include <seccomp.h>

#include <array>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "isolation/seccomp_policy.hpp"

namespace fabric {

namespace {

constexpr std::array<std::pair<std::string_view, int>, 17> k_newer{{
    {"fchmodat2", 452},
    {"futex_wake", 454},
    {"futex_wait", 455},
    {"futex_requeue", 456},
    {"statmount", 457},
    {"listmount", 458},
    {"lsm_get_self_attr", 459},
    {"lsm_set_self_attr", 460},
    {"lsm_list_modules", 461},
    {"mseal", 462},
    {"setxattrat", 463},
    {"getxattrat", 464},
    {"listxattrat", 465},
    {"removexattrat", 466},
    {"open_tree_attr", 467},
    {"file_getattr", 468},
    {"file_setattr", 469},
}};

}  // namespace

int seccomp_call_number(const std::string& name) {
  for (auto [newer, number] : k_newer)
    if (name == newer) return number;
  return ::seccomp_syscall_resolve_name(name.c_str());
}

std::string seccomp_call_name(int number) {
  for (auto [newer, known] : k_newer)
    if (number == known) return std::string(newer);
  char* name = ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
  if (name == nullptr) return "call " + std::to_string(number);
  std::string text = name;
  std::free(name);  // NOLINT: libseccomp allocates it with malloc
  return text;
}

}  // namespace fabric
