// SPDX-License-Identifier: Apache-2.0
#include "build.hpp"
#include "sys.hpp"

namespace fabric::init {

namespace {

// What a terminal or a neighbour might send; as pid 1 we would not get them anyway.
constexpr int k_ignored[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGPIPE,
                             SIGTSTP, SIGTTIN, SIGTTOU, SIGXFSZ};

}  // namespace

void set_signals() {
  // Ignored signals stay ignored across CLONE_CLEAR_SIGHAND and exec: the supervisor's end here.
  for (int number = 1; number < 65; ++number) signal(number, SIG_DFL);
  for (int number : k_ignored) signal(number, SIG_IGN);
}

void reset_signals() {
  for (int number : k_ignored) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace fabric::init
