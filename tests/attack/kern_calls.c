/* SPDX-License-Identifier: Apache-2.0
 * System calls that no agent needs. Those that would do harm outside get senseless arguments: they
 * got through when the kernel complains of these, and not of who asks. */
#include <linux/bpf.h>
#include <linux/fanotify.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <sys/io.h>
#include <sys/personality.h>
#include <sys/reboot.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

#include "attack.h"

static enum state call(long which) {
  switch (which) {
    case SYS_kexec_load:
      return expect_refusal(syscall(which, 0, 17, NULL, ~0UL), "kexec_load");
    case SYS_kexec_file_load:
      return expect_refusal(syscall(which, -1, -1, 0, NULL, ~0UL), "kexec_file_load");
    case SYS_init_module:
      return expect_refusal(syscall(which, NULL, 0UL, ""), "init_module");
    case SYS_finit_module:
      return expect_refusal(syscall(which, -1, "", 0), "finit_module");
    case SYS_delete_module:
      return expect_refusal(syscall(which, "no_such_module_", O_NONBLOCK), "delete_module");
    case SYS_reboot:
      return expect_refusal(syscall(which, 0, 0, 0, NULL), "reboot");
    case SYS_swapon:
      return expect_refusal(syscall(which, "/nonexistent", 0), "swapon");
    case SYS_swapoff:
      return expect_refusal(syscall(which, "/nonexistent"), "swapoff");
    case SYS_acct:
      return expect_refusal(syscall(which, "/nonexistent"), "acct");
    case SYS_quotactl:
      return expect_refusal(syscall(which, 0x800002 << 8, "/nonexistent", 0, NULL), "quotactl");
    case SYS_quotactl_fd:
      return expect_refusal(syscall(which, -1, 0x800002 << 8, 0, NULL), "quotactl_fd");
    case SYS_vhangup:
      return expect_refusal(syscall(which), "vhangup");
    case SYS_sethostname:
      return expect_failure(syscall(which, "attacked", 8), "sethostname");
    case SYS_setdomainname:
      return expect_failure(syscall(which, "attacked", 8), "setdomainname");
    case SYS_iopl:
      return expect_failure(syscall(which, 3), "iopl");
    case SYS_ioperm:
      return expect_failure(syscall(which, 0x80, 1, 1), "ioperm");
    case SYS_syslog:
      return expect_failure(syscall(which, 10, NULL, 0), "syslog");
    case SYS_uselib:
      return expect_refusal(syscall(which, "/nonexistent"), "uselib");
    case SYS_ustat:
      return expect_refusal(syscall(which, 0, NULL), "ustat");
    case SYS_sysfs:
      return expect_failure(syscall(which, 3), "sysfs");
    case SYS_fanotify_init:
      return expect_failure(syscall(which, FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY),
                            "fanotify_init");
    case SYS_userfaultfd:
      return expect_failure(syscall(which, UFFD_USER_MODE_ONLY), "userfaultfd");
    case SYS_add_key:
      return expect_failure(syscall(which, "user", "attacked", "x", 1, -3), "add_key");
    case SYS_request_key:
      return expect_refusal(syscall(which, "user", "attacked", NULL, 0), "request_key");
    case SYS_keyctl:
      return expect_failure(syscall(which, 0, -3, 1), "keyctl");
    case SYS_io_uring_setup: {
      static char parameters[256];
      return expect_failure(syscall(which, 4, parameters), "io_uring_setup");
    }
    case SYS_io_uring_enter:
      return expect_refusal(syscall(which, -1, 0, 0, 0, NULL, 0), "io_uring_enter");
    case SYS_io_uring_register:
      return expect_refusal(syscall(which, -1, 0, NULL, 0), "io_uring_register");
    case SYS_kcmp:
      return expect_failure(syscall(which, getpid(), getpid(), 0, 0, 1), "kcmp");
    case SYS_move_pages:
      return expect_refusal(syscall(which, getpid(), 0UL, NULL, NULL, NULL, 0), "move_pages");
    case SYS_migrate_pages:
      return expect_refusal(syscall(which, getpid(), 0UL, NULL, NULL), "migrate_pages");
    case SYS_lookup_dcookie:
      return expect_refusal(syscall(which, 0UL, NULL, 0UL), "lookup_dcookie");
    case SYS_nfsservctl:
      return expect_refusal(syscall(which, 0, NULL, NULL), "nfsservctl");
    case SYS__sysctl:
      return expect_refusal(syscall(which, NULL), "_sysctl");
    case SYS_process_madvise:
      return expect_refusal(syscall(which, -1, NULL, 0UL, 0, 0), "process_madvise");
    case SYS_personality:
      return expect_failure(syscall(which, ADDR_NO_RANDOMIZE), "personality");
    default:
      return unavailable("no such call");
  }
}

static enum state exec_personality(long unused) {
  (void)unused;
  return expect_failure(personality(READ_IMPLIES_EXEC), "personality");
}

static enum state use_bpf(long which) {
  union bpf_attr attributes = {0};
  if (which == 0) {
    attributes.map_type = BPF_MAP_TYPE_ARRAY;
    attributes.key_size = attributes.value_size = 4;
    attributes.max_entries = 1;
    return expect_failure(syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes), "bpf");
  }
  static const uint64_t program[] = {0x00000000000000b7, 0x95}; /* r0 = 0; exit */
  attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attributes.insn_cnt = 2;
  attributes.insns = (uintptr_t)program;
  attributes.license = (uintptr_t) "GPL";
  return expect_failure(syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes), "bpf");
}

static enum state perf(long unused) {
  (void)unused;
  struct perf_event_attr attributes = {.type = PERF_TYPE_SOFTWARE,
                                       .size = sizeof attributes,
                                       .config = PERF_COUNT_SW_CPU_CLOCK,
                                       .exclude_kernel = 1};
  return expect_failure(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0), "perf_event_open");
}

/* Sets the clock to what it says: harmless where it is allowed. */
static enum state set_clock(long which) {
  struct timespec now;
  struct timeval same;
  struct timex adjust = {.modes = 0};
  switch (which) {
    case 0:
      clock_gettime(CLOCK_REALTIME, &now);
      return expect_failure(syscall(SYS_clock_settime, CLOCK_REALTIME, &now), "clock_settime");
    case 1:
      clock_gettime(CLOCK_REALTIME, &now);
      same = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
      return expect_failure(syscall(SYS_settimeofday, &same, NULL), "settimeofday");
    case 2:
      syscall(SYS_adjtimex, &adjust);
      adjust.modes = ADJ_TICK;
      return expect_failure(adjust.tick ? syscall(SYS_adjtimex, &adjust) : -1, "adjtimex");
    default:
      syscall(SYS_clock_adjtime, CLOCK_REALTIME, &adjust);
      adjust.modes = ADJ_TICK;
      return expect_failure(adjust.tick ? syscall(SYS_clock_adjtime, CLOCK_REALTIME, &adjust) : -1,
                            "clock_adjtime");
  }
}

static enum state ldt(long unused) {
  (void)unused;
  struct {
    unsigned entry, base, limit, flags;
  } segment = {0, 0, 0xfffff, 0x51};
  return expect_failure(syscall(SYS_modify_ldt, 1, &segment, sizeof segment), "modify_ldt");
}

static enum state setting_of_another(long unused) {
  (void)unused;
  /* To what it is: the parent goes on. */
  uint64_t limit[2];
  syscall(SYS_prlimit64, 0, 7, NULL, limit);
  return expect_failure(syscall(SYS_prlimit64, getppid(), 7, limit, NULL), "prlimit64");
}

#define CALL(name, call_name) \
  { name, #call_name, call, SYS_##call_name, 0, 0 }
static const struct probe table[] = {
    CALL("kern-kexec", kexec_load),
    CALL("kern-kexec-file", kexec_file_load),
    CALL("kern-init-module", init_module),
    CALL("kern-finit-module", finit_module),
    CALL("kern-delete-module", delete_module),
    CALL("kern-reboot", reboot),
    CALL("kern-swapon", swapon),
    CALL("kern-swapoff", swapoff),
    CALL("kern-acct", acct),
    CALL("kern-quotactl", quotactl),
    CALL("kern-quotactl-fd", quotactl_fd),
    CALL("kern-vhangup", vhangup),
    CALL("kern-hostname", sethostname),
    CALL("kern-domainname", setdomainname),
    CALL("kern-iopl", iopl),
    CALL("kern-ioperm", ioperm),
    CALL("kern-syslog", syslog),
    CALL("kern-uselib", uselib),
    CALL("kern-ustat", ustat),
    CALL("kern-sysfs-call", sysfs),
    CALL("kern-fanotify", fanotify_init),
    CALL("kern-userfaultfd", userfaultfd),
    CALL("kern-add-key", add_key),
    CALL("kern-request-key", request_key),
    CALL("kern-keyctl", keyctl),
    CALL("kern-io-uring-setup", io_uring_setup),
    CALL("kern-io-uring-enter", io_uring_enter),
    CALL("kern-io-uring-register", io_uring_register),
    CALL("kern-kcmp", kcmp),
    CALL("kern-move-pages", move_pages),
    CALL("kern-migrate-pages", migrate_pages),
    CALL("kern-lookup-dcookie", lookup_dcookie),
    CALL("kern-nfsservctl", nfsservctl),
    CALL("kern-sysctl-call", _sysctl),
    CALL("kern-process-madvise", process_madvise),
    CALL("kern-personality", personality),
    {"kern-personality-exec", "makes all memory executable", exec_personality, 0, 0, 0},
    {"kern-bpf-map", "makes a map of bpf", use_bpf, 0, 0, 0},
    {"kern-bpf-program", "loads a program of bpf", use_bpf, 1, 0, 0},
    {"kern-perf", "perf_event_open", perf, 0, 0, 0},
    {"kern-clock-settime", "sets the clock", set_clock, 0, 0, 0},
    {"kern-settimeofday", "sets the clock", set_clock, 1, 0, 0},
    {"kern-adjtimex", "changes the rate of the clock", set_clock, 2, 0, 0},
    {"kern-clock-adjtime", "changes the rate of the clock", set_clock, 3, 0, 0},
    {"kern-modify-ldt", "modify_ldt", ldt, 0, 0, 0},
    {"kern-prlimit-other", "changes a limit of another process", setting_of_another, 0, 0, 0},
};
PROBES(kern_calls, table);
