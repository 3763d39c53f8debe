// SPDX-License-Identifier: Apache-2.0
// The options that say what a sandbox is like: of spawn and of sandbox run.
#pragma once

#include <array>

#include "config/settings.hpp"
#include "fabric/arguments.hpp"
#include "fabric/command.hpp"

namespace fabric::cmd {

inline constexpr std::array<Option, 26> k_sandbox_options{{
    {"--isolation", "", "LEVEL", "How strongly it is walled in. Default: process.", Takes::value,
     Complete::nothing, "none|process|container"},
    {"--memory", "", "SIZE", "Memory for all its processes, for example 512M; none: no limit."},
    {"--cpu", "", "CORES",
     "Processor cores for all its processes, for example 0.5; none: no limit."},
    {"--pids", "", "N", "How many processes and threads it may have; none: no limit."},
    {"--nofile", "", "N", "How many descriptors a process may have open. Default: 16384."},
    {"--file-size", "", "SIZE", "How large one file may become. Default: 64G."},
    {"--disk", "", "SIZE", "How much its work directory may hold; none: no limit, the default."},
    {"--tmp", "", "SIZE", "How much /tmp may hold, which is memory. Default: half of the memory."},
    {"--shm", "", "SIZE", "How much /dev/shm may hold, likewise."},
    {"--io-weight", "", "N",
     "Its part of a disk that others use too, from 1 to 10000; 100 is that of who has none. "
     "Refused "
     "where the disk's scheduler does not heed it."},
    {"--output-rate", "", "SIZE",
     "How much a task may print in a second; it waits when it prints more."},
    {"--root", "", "PATH",
     "Level container: a directory with a root file system, or an image in OCI layout or as docker "
     "save writes it.",
     Takes::value, Complete::file},
    {"--work", "", "DIR", "The host's directory that is /work inside.", Takes::value,
     Complete::directory},
    {"--ro", "", "HOST[:INSIDE]", "A file or directory of the host that it may read.",
     Takes::values, Complete::file},
    {"--rw", "", "HOST[:INSIDE]", "A file or directory of the host that it may change.",
     Takes::values, Complete::file},
    {"--hide", "", "PATH", "A path inside of which nothing is to be seen; * and ** match.",
     Takes::values},
    {"--no-write", "", "PATH", "A path inside that cannot be made, changed or removed.",
     Takes::values},
    {"--no-protect-git", "", "", "Let it change hooks and config of git repositories.",
     Takes::nothing},
    {"--egress", "", "RULE",
     "Where it may connect to: NAME, *.NAME, an address, a CIDR or *, with :PORT if not 80 and "
     "443.",
     Takes::values},
    {"--egress-rate", "", "SIZE",
     "How much it may exchange with those hosts in a second, in both directions together."},
    {"--publish", "", "HOST_PORT:INSIDE_PORT",
     "A port on which it listens, for the host to connect to.", Takes::values},
    {"--secret", "", "NAME=SOURCE",
     "A secret from file:PATH or env:VARIABLE, inside as the file /run/secrets/NAME, or with "
     ",env=VARIABLE as a variable.",
     Takes::values},
    {"--inject", "", "NAME=HOST,secret=SECRET",
     "A host that it reaches as http://NAME.inject/; the secret is put in outside the sandbox.",
     Takes::values},
    {"--seccomp", "", "POLICY",
     "Which system calls it may use: default, strict, permissive, or a file; +GROUP lets one "
     "group through.",
     Takes::value, Complete::file},
    {"--degrade", "", "",
     "Leave out a wall that this machine cannot build, instead of refusing; status shows it.",
     Takes::nothing},
    {"--env", "", "NAME[=VALUE]",
     "Set a variable in its environment, which is clean otherwise; without a value, yours.",
     Takes::values},
}};

// Options of a command with all of the above among them.
template <size_t n, size_t m>
constexpr std::array<Option, n + k_sandbox_options.size() + m> with_sandbox_options(
    const Option (&before)[n], const Option (&after)[m]) {
  std::array<Option, n + k_sandbox_options.size() + m> all{};
  size_t at = 0;
  for (const Option& option : before) all[at++] = option;
  for (const Option& option : k_sandbox_options) all[at++] = option;
  for (const Option& option : after) all[at++] = option;
  return all;
}

// What they say. Relative paths of the host are taken from the current directory.
Status read_sandbox_flags(const Arguments& arguments, config::AgentFlags& flags);

}  // namespace fabric::cmd
