/* SPDX-License-Identifier: Apache-2.0
 * A probe tries one way out of a sandbox and says whether it got through. It runs in a process of
 * its own, twice: outside, where it must get through (else it proves nothing), and inside, where it
 * must not. What can be seen from outside is looked at from outside too (outside.c, canary.c): the
 * word of the inside alone is not trusted. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef SYS_quotactl_fd /* newer than the C library: the numbers are the same everywhere */
#define SYS_quotactl_fd 443
#endif

enum state {
  BLOCKED,
  SUCCEEDED,
  TRIED,       /* only the outside can tell whether it got through */
  UNAVAILABLE, /* this kernel or machine has no such thing: proves nothing */
};

enum {
  /* How it is run. */
  OWN_TASK = 1, /* a task of its own: it disturbs what runs beside it */
  MAY_DIE = 2,  /* an end without a word counts as blocked, if the outside has seen nothing */
  TIME_OUT = 4, /* meant to run for ever: its task gets a timeout */
  LEAVES = 8,   /* leaves processes behind, which must be gone when the task has ended */
  SPINS = 16,   /* in the agent with a fifth of a processor */
  FLOODS = 32,  /* in the agent that may print 1 MiB */
  SIBLING = 64, /* in an agent with two attempts at once */
  /* Options of the sandbox without which there is nothing to attack. */
  PATHS = 0x100,
  GIT = 0x200,
  EGRESS = 0x400,
  SECRETS = 0x800,
  DISK = 0x1000,
  INJECT = 0x2000,
  LAYERED = 0x8000, /* level container: in its own root, which is a layer, it may do that */
  HOSTED = 0x4000,  /* a rule about a path; lab.sh changes something there first (host_change) */
};

struct probe {
  const char *name, *what;
  enum state (*run)(long argument);
  long argument;
  unsigned flags;
  const char* hit; /* what the outside writes down when it got through, if not the name */
};

struct probe_list {
  const struct probe* probes;
  size_t count;
};
extern const struct probe_list fs_read, fs_write, fs_mount, fs_rules, kern_calls, kern_namespaces,
    kern_files, kern_self, proc_others, proc_life, proc_terminal, res_counts, res_memory, secrets,
    net_reach, net_sockets, net_egress, net_speech, secrets_inject;
#define PROBES(name, table) const struct probe_list name = {table, sizeof table / sizeof *table}

const struct probe* find_probe(const char* name);
const struct probe* probe_at(size_t index); /* NULL behind the last */
extern const struct probe* current;         /* the one that runs */

/* --- the word of a probe, and why */
enum state blocked(const char* what); /* with errno */
enum state through(const char* format, ...) __attribute__((format(printf, 1, 2)));
enum state tried(void);
enum state unavailable(const char* what);
/* Of a call that must fail: below 0 is blocked. */
enum state expect_failure(long result, const char* call);
/* Of a call with senseless arguments: it got through when the kernel looked at them, and did not
 * say that it is not allowed or not there. */
enum state expect_refusal(long result, const char* call);
extern char detail[200];

/* --- what the outside has prepared (context.c): "" when there is no such thing */
void read_context(const char* file);
const char* given(const char* key);
long number(const char* key);
/* Of the secret only a hash is known inside. */
bool has_token(const void* bytes, size_t size);
uint64_t token_hash(const char* token);
#define TOKEN_MARK "CANARY-"
#define TOKEN_SIZE 32

/* --- helpers (support.c) */
enum state read_token(int directory, const char* path);                /* opens, reads, compares */
enum state read_any(const char* path);                                 /* any byte is too many */
enum state open_for_writing(const char* path);                         /* nothing is written */
enum state write_to(int directory, const char* path);                  /* makes or changes a file */
const char* canary(const char* directory_key, const char* suffix);     /* DIRECTORY/NAME[suffix] */
int each_process(int (*visit)(int pid, void* context), void* context); /* until it is not 0 */
long slurp(const char* path, void* buffer, size_t size);
int run_child(int (*function)(void)); /* wait status of a fork that runs it */
void mark_process(void);              /* names it, so that the outside finds what is left */
_Noreturn void rest(void);            /* until it is killed */
double seconds(void);

/* --- the outside */
int serve_outside(const char* directory, unsigned uid);
int victim(void);
int start_with(const char* directory, unsigned uid, char** command); /* descriptors.c */
int sibling_attempt(void);
int reach_what_is_listed(void);
extern char victim_token[64];
int prepare_canaries(const char* directory);
/* Writes "NAME what" for all that has changed. */
void check_canaries(const char* directory, FILE* report);
void sweep_processes(void);
int judge(const char* directory, bool layered, int verbose);
