// SPDX-License-Identifier: Apache-2.0
#include "fabric/arguments.hpp"
#include "fabric/commands.hpp"
#include "fabric/complete.hpp"
#include "fabric/output.hpp"

namespace fabric::cmd {
namespace {

Result<int> run(const Arguments& arguments) {
  TRY_STATUS(print(completion_script(arguments.positional(0))));
  return 0;
}

constexpr Positional k_positionals[] = {
    {"SHELL", "The shell to complete for.", Complete::nothing, "bash|zsh|fish"}};
constexpr Example k_examples[] = {
    {"source <(fabric completion bash)", "Completes in this shell, until it ends."},
    {"fabric completion fish > ~/.config/fish/completions/fabric.fish",
     "Completes in every fish."}};

}  // namespace

const Command k_completion_command{
    "completion",
    Group::maintenance,
    "print what makes your shell complete fabric's words",
    "Commands, options, values, and the ids of living agents and tasks are completed.",
    k_positionals,
    {},
    {},
    k_examples,
    nullptr,
    run,
    /*in_workspace=*/false};

}  // namespace fabric::cmd
