// SPDX-License-Identifier: Apache-2.0
// Finding a command the way execvp does, but saying why it was not found.
#pragma once

#include <stddef.h>

namespace fabric::init {

// Calls `visit(path, context)` for each place where `name` may be, as long as it returns true.
// A name with a slash is one place; an empty component of `search` is the current directory.
// False when a place did not fit and was skipped.
using Visit = bool (*)(const char* path, void* context);
bool each_candidate(const char* name, const char* search, Visit visit, void* context);

// 0, or the errno of the best candidate (EACCES is better news than ENOENT). `interpreter` receives
// the name of a #! interpreter that is missing, else "".
int find_command(const char* name, const char* search, char* interpreter, size_t interpreter_size);

}  // namespace fabric::init
