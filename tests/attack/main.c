/* SPDX-License-Identifier: Apache-2.0
 * attack COMMAND: see usage. What is run where, tests/attack/run says. */
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "attack.h"

static const struct probe_list* const lists[] = {
    &fs_read,         &fs_write,   &fs_mount,   &fs_rules,      &kern_calls,
    &kern_namespaces, &kern_files, &kern_self,  &proc_others,   &proc_life,
    &proc_terminal,   &res_counts, &res_memory, &secrets,       &net_reach,
    &net_sockets,     &net_egress, &net_speech, &secrets_inject};
enum { k_lists = sizeof lists / sizeof *lists, k_patience_ms = 8000 };

const struct probe* current;

const struct probe* probe_at(size_t index) {
  for (size_t list = 0; list < k_lists; ++list) {
    if (index < lists[list]->count) return &lists[list]->probes[index];
    index -= lists[list]->count;
  }
  return NULL;
}

const struct probe* find_probe(const char* name) {
  for (size_t i = 0; probe_at(i); ++i)
    if (!strcmp(probe_at(i)->name, name)) return probe_at(i);
  return NULL;
}

static const char* const words[] = {"BLOCKED", "SUCCEEDED", "TRIED", "UNAVAILABLE"};

struct answer {
  int32_t state;
  char detail[sizeof detail];
};

/* Runs the probe in a process of its own. What it says comes through a pipe. */
static struct answer run_probe(const struct probe* probe, void (*before)(void)) {
  struct answer answer = {BLOCKED, ""};
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) exit(2);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    current = probe;
    if (before) before();
    /* Where no descriptor of a probe is expected. */
    int channel = fcntl(ends[1], F_DUPFD_CLOEXEC, 500);
    close(ends[0]);
    close(ends[1]);
    answer.state = (int32_t)probe->run(probe->argument);
    memcpy(answer.detail, detail, sizeof detail);
    _exit(write(channel, &answer, sizeof answer) != sizeof answer);
  }
  close(ends[1]);
  ssize_t got = 0;
  struct pollfd wait = {ends[0], POLLIN, 0};
  const bool stays = probe->flags & TIME_OUT && before; /* outside nobody stops it */
  if (pid > 0 && poll(&wait, 1, stays ? 300 : k_patience_ms) > 0)
    got = read(ends[0], &answer, sizeof answer);
  int status = 0;
  if (stays && got == 0) {
    close(ends[0]);
    answer.state = TRIED;
    return answer;
  }
  if (pid > 0 && got != sizeof answer && !(wait.revents & POLLHUP)) kill(pid, SIGKILL);
  if (pid > 0 && !(probe->flags & LEAVES)) kill(-pid, SIGKILL);
  while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  close(ends[0]);
  if (got != sizeof answer) {
    answer.state = BLOCKED;
    if (pid < 0)
      snprintf(answer.detail, sizeof answer.detail, "fork: %s", strerror(errno));
    else if (WIFSIGNALED(status))
      snprintf(answer.detail, sizeof answer.detail, "killed by %s", strsignal(WTERMSIG(status)));
    else
      snprintf(answer.detail, sizeof answer.detail, "ended without a word");
    /* Killed by the filter or by a limit is an answer; anything else is a probe that is broken. */
    if (!WIFSIGNALED(status) || (WTERMSIG(status) != SIGSYS && !(probe->flags & MAY_DIE)))
      answer.state = UNAVAILABLE;
  }
  return answer;
}

static void say(const struct probe* probe, const struct answer* answer, const char* suffix) {
  printf("%s %s%s %s\n", probe->name, words[answer->state], suffix, answer->detail);
  fflush(stdout);
}

/* NAME,NAME,...: calls for each. */
static int for_each_name(char* names, void (*call)(const struct probe*)) {
  char* rest_of = NULL;
  for (char* name = strtok_r(names, ",", &rest_of); name; name = strtok_r(NULL, ",", &rest_of)) {
    const struct probe* probe = find_probe(name);
    if (!probe) return fprintf(stderr, "attack: no probe %s\n", name), 2;
    call(probe);
  }
  return 0;
}

static void run_one(const struct probe* probe) {
  struct answer answer = run_probe(probe, NULL);
  say(probe, &answer, "");
}

/* --- outside: as the ordinary user first, and where he may not, as root */

static unsigned bare_uid;
static const char* bare_directory;

/* What a probe changes is changed in namespaces of its own. */
static void own_namespaces(void) {
  if (unshare(CLONE_NEWNS | CLONE_NEWUTS) < 0 ||
      mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
    _exit(2);
}
static void as_root(void) {
  if (current->flags & FLOODS) {
    char path[512];
    snprintf(path, sizeof path, "%s/flood", bare_directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
  }
  own_namespaces();
}
static void as_user(void) {
  as_root();
  if (setgroups(0, NULL) < 0 || setgid(bare_uid) < 0 || setuid(bare_uid) < 0) _exit(2);
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static bool was_hit(const struct probe* probe) {
  char *text = NULL, path[512];
  size_t size = 0;
  FILE* report = open_memstream(&text, &size);
  check_canaries(bare_directory, report);
  snprintf(path, sizeof path, "%s/hits", bare_directory);
  static char hits[1 << 20];
  long got = slurp(path, hits, sizeof hits - 1);
  hits[got > 0 ? got : 0] = 0;
  fputs(hits, report);
  fclose(report);
  const char* name = probe->hit ? probe->hit : probe->name;
  struct stat flood;
  snprintf(path, sizeof path, "%s/flood", bare_directory);
  bool found = probe->flags & FLOODS && stat(path, &flood) == 0 && flood.st_size > 4 << 20;
  for (char* line = strtok(text, "\n"); line && !found; line = strtok(NULL, "\n"))
    found = !strncmp(line, name, strlen(name)) && line[strlen(name)] == ' ';
  free(text);
  return found;
}

static bool succeeds(const struct probe* probe, struct answer* answer, void (*before)(void)) {
  *answer = run_probe(probe, before);
  bool done = answer->state == SUCCEEDED || (answer->state == TRIED && was_hit(probe));
  if (probe->flags & LEAVES) sweep_processes();
  if (answer->state == TRIED) answer->state = done ? SUCCEEDED : BLOCKED;
  return done;
}

static void run_bare(const struct probe* probe) {
  struct answer answer;
  if (succeeds(probe, &answer, as_user)) return say(probe, &answer, " user");
  struct answer first = answer;
  if (succeeds(probe, &answer, as_root)) return say(probe, &answer, " root");
  say(probe, answer.state == UNAVAILABLE ? &answer : &first, " user");
}

/* --- lists */

static void list(unsigned with, unsigned without) {
  for (size_t i = 0; probe_at(i); ++i) {
    const struct probe* probe = probe_at(i);
    if ((probe->flags & with) == with && (probe->flags & without) == 0) printf("%s\n", probe->name);
  }
}

/* The control group of the workspace of that path. */
static int print_group(const char* path) {
  uint64_t hash = 0xcbf29ce484222325;
  for (; *path; ++path) hash = (hash ^ (unsigned char)*path) * 1099511628211u;
  printf("fabric-%012llx\n", (unsigned long long)(hash & 0xffffffffffff));
  return 0;
}

/* Not an attack: programs that wall themselves in can do so inside too. */
static int nest_landlock(void) {
  const uint64_t handled = 1; /* execute: all versions know it */
  int ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
  if (ruleset < 0) return perror("landlock_create_ruleset"), 1;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
      syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
    return perror("landlock_restrict_self"), 1;
  execl("/proc/self/exe", "attack", "list", NULL);
  return errno == EACCES ? (puts("NESTED"), 0) : 1;
}

static int usage(void) {
  fputs(
      "usage: attack list [WITH [WITHOUT]]    names; sets of flags as in attack.h\n"
      "       attack about                   names and what they try\n"
      "       attack outside DIRECTORY UID   prepares what must not be reached, and serves it\n"
      "       attack prepare DIRECTORY       puts files back as they were\n"
      "       attack check DIRECTORY         says what has changed outside\n"
      "       attack bare DIRECTORY UID NAME[,NAME...]\n"
      "       attack run CONTEXT NAME[,NAME...]\n"
      "       attack judge DIRECTORY LEVEL [-v]    the table\n",
      stderr);
  return 2;
}

int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  const char* command = argc > 1 ? argv[1] : "";
  if (!strcmp(command, "list")) {
    list(argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : 0,
         argc > 3 ? (unsigned)strtoul(argv[3], NULL, 0) : 0);
    return 0;
  }
  if (!strcmp(command, "about")) {
    for (size_t i = 0; probe_at(i); ++i) printf("%-26s %s\n", probe_at(i)->name, probe_at(i)->what);
    return 0;
  }
  if (!strcmp(command, "victim")) return victim();
  if (!strcmp(command, "am-i-root")) return geteuid() == 0 ? 42 : 0; /* fs-suid-exec */
  if (!strcmp(command, "sibling")) return sibling_attempt();
  if (argc < 3) return usage();
  if (!strcmp(command, "nest")) return nest_landlock();
  if (!strcmp(command, "control")) return read_context(argv[2]), reach_what_is_listed();
  if (!strcmp(command, "cgroup-name")) return print_group(argv[2]);
  if (!strcmp(command, "prepare")) return prepare_canaries(argv[2]);
  if (!strcmp(command, "check")) return check_canaries(argv[2], stdout), sweep_processes(), 0;
  if (!strcmp(command, "judge") && argc > 3)
    return judge(argv[2], !strcmp(argv[3], "container"), argc > 4);
  if (argc < 4) return usage();
  if (!strcmp(command, "outside"))
    return serve_outside(argv[2], (unsigned)strtoul(argv[3], NULL, 10));
  if (!strcmp(command, "with") && argc > 4)
    return start_with(argv[2], (unsigned)strtoul(argv[3], NULL, 10), argv + 4);
  if (!strcmp(command, "run")) {
    read_context(argv[2]);
    return for_each_name(argv[3], run_one);
  }
  if (!strcmp(command, "bare") && argc > 4) {
    char path[512];
    snprintf(path, sizeof path, "%s/context", argv[2]);
    read_context(path);
    bare_directory = argv[2];
    bare_uid = (unsigned)strtoul(argv[3], NULL, 10);
    return for_each_name(argv[4], run_bare);
  }
  return usage();
}
