// SPDX-License-Identifier: Apache-2.0
// Where fabric really starts: before its C library, which takes most of the time of a short command
// (under virtualisation each of its questions to the processor leaves the guest, and its addresses
// have yet to be relocated). `fabric sandbox run` is the one command that people start by the
// hundred, so for it the process becomes fabric-run here. If that is not installed, or for any
// other command, the C library starts as usual.
//
// Nothing is initialised when this runs: no relocated address, no thread-local variable, no errno.
#include <sys/syscall.h>

#include <cstddef>

namespace {

inline long call(long number, long a, long b, long c) {
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c)
               : "rcx", "r11", "memory");
  return result;
}

inline bool same(const char* text, const char* other) {
  while (*text != 0 && *text == *other) {
    ++text;
    ++other;
  }
  return *text == *other;
}

// Behind the first `directory` bytes of `path`.
inline void put(char* path, size_t directory, const char* place) {
  size_t i = 0;
  for (; place[i] != 0; ++i) path[directory + i] = place[i];
  path[directory + i] = 0;
}

}  // namespace

extern "C" __attribute__((visibility("hidden"), used)) void fabric_before_libc(long* stack) {
  constexpr size_t k_path = 4096, k_place = 64;
  char** argv = reinterpret_cast<char**>(stack + 1);
  if (stack[0] < 3 || !same(argv[1], "sandbox") || !same(argv[2], "run")) return;
  char self[k_path], path[k_path + k_place];
  const long length = call(SYS_readlink, reinterpret_cast<long>("/proc/self/exe"),
                           reinterpret_cast<long>(self), k_path - 1);
  if (length <= 0) return;
  self[length] = 0;
  size_t directory = 0;
  for (size_t i = 0; self[i] != 0; ++i) {
    path[i] = self[i];
    if (self[i] == '/') directory = i;
  }
  char* const before = argv[0];
  argv[0] = self;  // for it to give back what it does not serve
  char** environment = argv + stack[0] + 1;
  put(path, directory, "/../libexec/fabric/fabric-run");
  call(SYS_execve, reinterpret_cast<long>(path), reinterpret_cast<long>(argv),
       reinterpret_cast<long>(environment));
  put(path, directory, "/../fabric-run/fabric-run");
  call(SYS_execve, reinterpret_cast<long>(path), reinterpret_cast<long>(argv),
       reinterpret_cast<long>(environment));
  argv[0] = before;
}

// The kernel's stack and rdx (a function for atexit, here 0) are handed on as they came.
asm(R"(
  .text
  .globl fabric_entry
  .hidden fabric_entry
  .type fabric_entry, @function
fabric_entry:
  endbr64
  xorl %ebp, %ebp
  movq %rdx, %r12
  movq %rsp, %rbx
  movq %rsp, %rdi
  andq $-16, %rsp
  call fabric_before_libc
  movq %rbx, %rsp
  movq %r12, %rdx
  jmp _start
  .size fabric_entry, . - fabric_entry
)");
