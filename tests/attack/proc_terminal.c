/* SPDX-License-Identifier: Apache-2.0
 * Terminals: typing into one, and settings of consoles. The terminal is a pty of our own, which
 * becomes the controlling one: outside that is enough for all of these to work. */
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

#include "attack.h"

static int open_terminal(void) {
  /* A leader of a process group cannot start a session: a child goes on. */
  pid_t pid = fork();
  if (pid > 0) {
    waitpid(pid, NULL, 0);
    _exit(0);
  }
  int master = open("/dev/ptmx", O_RDWR | O_CLOEXEC | O_NOCTTY), unlock = 0, number_of = 0;
  char path[32];
  if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0 ||
      ioctl(master, TIOCGPTN, &number_of) < 0)
    return -1;
  snprintf(path, sizeof path, "/dev/pts/%d", number_of);
  setsid();
  int terminal = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (terminal >= 0 && ioctl(terminal, TIOCSCTTY, 0) < 0) return -1;
  return terminal;
}

static enum state with_terminal(long request) {
  int terminal = open_terminal();
  if (terminal < 0) return blocked("a terminal");
  char letter = 'x';
  return expect_failure(syscall(SYS_ioctl, terminal, request, &letter), "ioctl");
}

static enum state line_discipline(long unused) {
  (void)unused;
  int terminal = open_terminal(), discipline = 0;
  if (terminal < 0) return blocked("a terminal");
  return expect_failure(syscall(SYS_ioctl, terminal, (long)TIOCSETD, &discipline), "TIOCSETD");
}

static enum state paste(long request) {
  int terminal = open("/dev/tty0", O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (terminal < 0) terminal = open_terminal();
  char code = 6; /* shift state: reads only */
  return expect_refusal(syscall(SYS_ioctl, terminal, request, &code), "ioctl");
}

static const struct probe table[] = {
    {"proc-tiocsti", "types into its terminal", with_terminal, TIOCSTI, 0, 0},
    {"proc-tiocsti-high", "the same with a filled upper half of the request", with_terminal,
     TIOCSTI | 0x100000000, 0, 0},
    {"proc-tiocsti-sign", "the same, sign-extended", with_terminal,
     (long)(0xffffffff00000000 | TIOCSTI), 0, 0},
    {"proc-tiocsetd", "sets a line discipline", line_discipline, 0, 0, 0},
    {"proc-tioclinux", "TIOCLINUX", paste, TIOCLINUX, 0, 0},
    {"proc-tiocscons", "takes the output of the console", with_terminal, TIOCCONS, 0, 0},
    {"proc-tioclinux-high", "TIOCLINUX with a filled upper half", paste, TIOCLINUX | 0x7f00000000,
     0, 0},
};
PROBES(proc_terminal, table);
