// SPDX-License-Identifier: Apache-2.0
// clone3(2) with CLONE_VM|CLONE_VFORK on a stack of its own: what it costs does not depend on the
// size of the caller, as fork's does. C headers only; fabric-init uses it too.
//
// The child runs `run(argument)` in the caller's memory while the calling thread waits, until it
// execs or returns (which ends it with that status). It may only make system calls: no allocation,
// no locks, no errno of libc's that anybody would miss.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifndef __x86_64__
#error "fabric's launcher and its seccomp policy are written for x86-64"
#endif

namespace fabric {

struct CloneArguments {  // struct clone_args, version 2
  uint64_t flags = 0;
  uint64_t pidfd = 0;
  uint64_t child_tid = 0;
  uint64_t parent_tid = 0;
  uint64_t exit_signal = 0;
  uint64_t stack = 0;
  uint64_t stack_size = 0;
  uint64_t tls = 0;
  uint64_t set_tid = 0;
  uint64_t set_tid_size = 0;
  uint64_t cgroup = 0;
};

constexpr uint64_t k_clone_vm = 0x100;
constexpr uint64_t k_clone_vfork = 0x4000;
constexpr uint64_t k_clone_pidfd = 0x1000;
constexpr uint64_t k_clone_clear_sighand = 0x100000000ULL;
constexpr uint64_t k_clone_into_cgroup = 0x200000000ULL;

// The child's pid, or -errno. Flags without CLONE_VM are not for this function.
inline long clone_process(CloneArguments& arguments, int (*run)(void*), void* argument) {
  long result;
  asm volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "movq %[argument], %%rdi\n\t"
      "callq *%[run]\n\t"
      "movl %%eax, %%edi\n\t"
      "movl $60, %%eax\n\t"
      "syscall\n\t"
      "hlt\n"
      "1:\n\t"
      : "=a"(result)
      : "a"(435L), "D"(&arguments), "S"(sizeof arguments), [run] "r"(run), [argument] "r"(argument)
      : "rcx", "r11", "memory", "cc");
  return result;
}

}  // namespace fabric
