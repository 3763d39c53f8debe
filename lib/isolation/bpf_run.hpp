// SPDX-License-Identifier: Apache-2.0
// Runs a classic BPF program over a system call, as the kernel does (linux/filter.h), for the kinds
// of instructions that libseccomp makes. The init asks it which rule a denied call met; the
// supervisor, whether a policy lets through what it must not. C headers only, and none of the
// kernel: musl comes without.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "isolation/init_wire.hpp"

namespace fabric {

namespace bpf {  // linux/bpf_common.h
constexpr uint16_t k_load_word = 0x20, k_and = 0x54, k_jump = 0x05, k_jump_equal = 0x15,
                   k_jump_greater = 0x25, k_jump_not_less = 0x35, k_jump_set = 0x45,
                   k_return = 0x06;
}  // namespace bpf

struct SystemCall {  // struct seccomp_data
  int32_t number;
  uint32_t architecture;
  uint64_t instruction_pointer;
  uint64_t arguments[6];
};
static_assert(sizeof(SystemCall) == 64);

// What the kernel does with a program that it would have refused: the caller sees "kill".
constexpr uint32_t k_bpf_broken = 0x80000000;

inline uint32_t run_bpf(const wire::Instruction* program, size_t size, const SystemCall& call) {
  uint32_t a = 0;
  for (size_t at = 0; at < size; ++at) {
    const wire::Instruction& i = program[at];
    uint32_t word = 0;
    switch (i.code) {
      case bpf::k_load_word:
        if (i.k > sizeof call - sizeof word) return k_bpf_broken;
        memcpy(&word, reinterpret_cast<const char*>(&call) + i.k, sizeof word);
        a = word;
        break;
      case bpf::k_and:
        a &= i.k;
        break;
      case bpf::k_jump:
        at += i.k;
        break;
      case bpf::k_jump_equal:
        at += a == i.k ? i.jt : i.jf;
        break;
      case bpf::k_jump_greater:
        at += a > i.k ? i.jt : i.jf;
        break;
      case bpf::k_jump_not_less:
        at += a >= i.k ? i.jt : i.jf;
        break;
      case bpf::k_jump_set:
        at += (a & i.k) != 0 ? i.jt : i.jf;
        break;
      case bpf::k_return:
        return i.k;
      default:
        return k_bpf_broken;
    }
  }
  return k_bpf_broken;
}

}  // namespace fabric
