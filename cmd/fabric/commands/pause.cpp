// SPDX-License-Identifier: Apache-2.0
#include "fabric/commands.hpp"
#include "fabric/pausing.hpp"

namespace fabric::cmd {
namespace {

Result<int> run(const Arguments& arguments) { return run_pausing(arguments, true); }

constexpr Example k_examples[] = {
    {"fabric pause coder", "No more tasks start at the agent; its running ones go on."},
    {"fabric pause --priority low", "No more tasks of that priority start anywhere."}};

}  // namespace

const Command k_pause_command{
    "pause",
    Group::tasks,
    "start no more tasks of an agent, a priority, a share or at all",
    "What runs goes on, and tasks can be scheduled and cancelled as before; they wait. A pause "
    "lasts until fabric-resume(1) lifts it, also when the supervisor is started anew. A paused "
    "agent also takes no tasks that ask for whichever agent has what they need, and an external "
    "one can claim nothing. Says so when it was paused already.",
    k_pause_positionals,
    k_pause_options,
    {},
    k_examples,
    pause_shape,
    run};

}  // namespace fabric::cmd
