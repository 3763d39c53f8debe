// SPDX-License-Identifier: Apache-2.0
// `fabric sandbox run` in a process of its own kind: what fabric becomes by exec, before its C
// library has started, when these are its first two words (fabric/entry.cpp). It is the same code
// (commands/sandbox_run.cpp) in a program that is small, at a fixed address and linked with musl,
// which starts in a fifth of the time: most of a short command's life would else be the start of
// fabric. What it does not serve it gives back.
#include <unistd.h>

#include <string>

#include "fabric-run/plain_arguments.hpp"
#include "fabric/commands.hpp"
#include "fabric/exit_code.hpp"
#include "fabric/output.hpp"
#include "fabric/terminal.hpp"

using namespace fabric;
using namespace fabric::cmd;

namespace {

// argv[0] is the path of fabric. The two words as one mean the same to it, but not to its entry.
int give_back(std::vector<char*> argv) {
  std::string both = "sandbox run";
  argv.erase(argv.begin() + 1);
  argv[1] = both.data();
  argv.push_back(nullptr);
  ::execv(argv[0], argv.data());
  print_error(fail_errno(errno, std::string("executing ") + argv[0]).value());
  return 125;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<char*> words(argv, argv + argc);
  if (words.size() < 3) return 2;  // not started by fabric
  reserve_standard_descriptors();
  const Command& command = k_sandbox_run_command;
  const auto arguments = plain_arguments(command, std::span(words).subspan(3));
  if (!arguments) return give_back(words);
  const Result<int> code = command.run(*arguments);
  return code ? *code : exit_code(code.error(), &command);
}
