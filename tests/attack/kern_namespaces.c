/* SPDX-License-Identifier: Apache-2.0
 * New namespaces, and those of others; calls of other architectures. */
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "attack.h"

static enum state unshare_flags(long flags) {
  return expect_failure(syscall(SYS_unshare, flags), "unshare");
}

static enum state clone_flags(long flags) {
  long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  if (pid > 0) waitpid((pid_t)pid, NULL, 0);
  return expect_failure(pid, "clone");
}

/* The flags of clone3 are in memory, where no filter sees them: it must not be there at all. */
static enum state clone3_flags(long flags) {
  struct clone_args arguments = {.flags = (uint64_t)flags, .exit_signal = SIGCHLD};
  long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid == 0) _exit(0);
  if (pid > 0) waitpid((pid_t)pid, NULL, 0);
  if (pid < 0 && errno != ENOSYS) return through("clone3 is there: %s", strerror(errno));
  return expect_failure(pid, "clone3");
}

static int visit_namespaces(int pid, void* result) {
  static const char* const names[] = {"mnt", "net", "pid", "ipc", "uts", "user", "cgroup", "time"};
  for (int i = 0; i < 8; ++i) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, names[i]);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    if (syscall(SYS_setns, fd, 0) == 0) {
      *(enum state*)result = through("setns %s", path);
      return 1;
    }
    blocked("setns");
    close(fd);
  }
  return 0;
}
static enum state join(long by_pidfd) {
  enum state state = BLOCKED;
  snprintf(detail, sizeof detail, "none can be opened");
  if (!by_pidfd) return each_process(visit_namespaces, &state), state;
  int fd = (int)syscall(SYS_pidfd_open, 1, 0);
  if (fd < 0) return blocked("pidfd_open");
  return expect_failure(syscall(SYS_setns, fd, CLONE_NEWNS | CLONE_NEWNET), "setns");
}

/* int 0x80: getpid of i386. */
static enum state call_i386(long number) {
  long result = number;
#ifdef __x86_64__
  __asm__ volatile("int $0x80"
                   : "+a"(result)
                   : "b"(0L), "c"(0L), "d"(0L)
                   : "memory", "r8", "r9", "r10", "r11");
#endif
  return result > 0 ? through("it gave %ld", result) : (errno = (int)-result, blocked("int 0x80"));
}

static enum state call_x32(long number) {
  long result = syscall(number | 0x40000000);
  return expect_failure(result, "x32 call");
}

#ifdef __x86_64__
__attribute__((used)) static unsigned long saved_stack;
#endif
/* 32-bit code in a 64-bit process, by a far jump into its code segment and another one back. (A far
 * return would do as well, but qemu without KVM reads the stack with the rights of the kernel.) */
static enum state far_jump(long unused) {
  (void)unused;
#ifdef __x86_64__
  /* mov $20,%eax; int $0x80; ljmp $0x33,$back */
  static const unsigned char code[] = {0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xea, 0, 0, 0, 0, 0x33, 0};
  unsigned char* low = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  if (low == MAP_FAILED) return blocked("mmap");
  memcpy(low, code, sizeof code);
  struct {
    uint32_t offset;
    uint16_t segment;
  } __attribute__((packed)) target = {(uint32_t)(uintptr_t)low, 0x23};
  long result = -ENOSYS;
  /* This program is below 4 GiB, so its addresses fit. */
  __asm__ volatile(
      "movq %%rsp, saved_stack(%%rip)\n\t"
      "leaq 1f(%%rip), %%rax\n\t"
      "movl %%eax, 8(%%rsi)\n\t"
      "ljmpl *%2\n"
      "1: movq saved_stack(%%rip), %%rsp\n\t"
      "cltq"
      : "=&a"(result), "+S"(low)
      : "m"(target)
      : "rbx", "rcx", "rdx", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory",
        "cc");
  return result > 0 ? through("getpid gave %ld", result)
                    : (errno = (int)-result, blocked("32-bit code"));
#else
  return unavailable("not x86_64");
#endif
}

#define SPACE(suffix, what, flag)                                          \
  {"kern-unshare-" suffix, "unshare: " what, unshare_flags, flag, 0, 0}, { \
    "kern-clone-" suffix, "clone: " what, clone_flags, flag, 0, 0          \
  }
static const struct probe table[] = {
    SPACE("user", "user namespace", CLONE_NEWUSER),
    SPACE("mount", "mount namespace", CLONE_NEWNS),
    SPACE("net", "network namespace", CLONE_NEWNET),
    SPACE("pid", "pid namespace", CLONE_NEWPID),
    SPACE("ipc", "ipc namespace", CLONE_NEWIPC),
    SPACE("uts", "uts namespace", CLONE_NEWUTS),
    SPACE("cgroup", "cgroup namespace", CLONE_NEWCGROUP),
    {"kern-unshare-time", "unshare: time namespace", unshare_flags, CLONE_NEWTIME, 0, 0},
    {"kern-unshare-all", "unshare: user namespace with all others", unshare_flags,
     CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS, 0, 0},
    {"kern-clone3-plain", "clone3 without flags", clone3_flags, 0, 0, 0},
    {"kern-clone3-user", "clone3 into a user namespace", clone3_flags, CLONE_NEWUSER, 0, 0},
    {"proc-setns", "joins a namespace of any process", join, 0, 0, 0},
    {"proc-setns-pidfd", "joins those of process 1 by a pidfd", join, 1, 0, 0},
    {"kern-i386", "system call of i386", call_i386, 20, 0, 0},
    {"kern-i386-socket", "socketcall of i386, which no filter can read", call_i386, 1024 + 20, 0,
     0},
    {"kern-x32", "system call of x32", call_x32, SYS_getpid, 0, 0},
    {"kern-32bit-code", "32-bit code by a far jump", far_jump, 0, 0, 0},
};
PROBES(kern_namespaces, table);
