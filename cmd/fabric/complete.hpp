// SPDX-License-Identifier: Apache-2.0
// What a shell may offer for the word under its cursor.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fabric::cmd {

// `words` follow "fabric" on the command line; the last one is being typed and may be "". Answers
// one "candidate<TAB>description" a line, or the line ":file" or ":directory" where the shell
// should offer those itself. Never fails: no answer is an answer.
std::string complete(const std::vector<std::string>& words);

// The adaptor for bash, zsh or fish.
std::string_view completion_script(std::string_view shell);

}  // namespace fabric::cmd
