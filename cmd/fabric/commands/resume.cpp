// SPDX-License-Identifier: Apache-2.0
#include "fabric/commands.hpp"
#include "fabric/pausing.hpp"

namespace fabric::cmd {
namespace {

Result<int> run(const Arguments& arguments) { return run_pausing(arguments, false); }

constexpr Example k_examples[] = {
    {"fabric resume coder", "Tasks of the agent start again."},
    {"fabric resume --all", "Lifts the pause of the workspace, and says what else is paused."}};

}  // namespace

const Command k_resume_command{
    "resume",
    Group::tasks,
    "let tasks start again after a pause",
    "Lifts exactly the pause that is named: --all that of the whole workspace, not those of "
    "single agents, priorities and shares. Names on standard error what is still paused. Says so "
    "when it was not paused.",
    k_pause_positionals,
    k_pause_options,
    {},
    k_examples,
    pause_shape,
    run};

}  // namespace fabric::cmd
