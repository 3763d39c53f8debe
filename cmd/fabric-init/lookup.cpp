// SPDX-License-Identifier: Apache-2.0
#include "lookup.hpp"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "build.hpp"
#include "sys.hpp"

namespace fabric::init {

bool each_candidate(const char* name, const char* search, Visit visit, void* context) {
  if (strchr(name, '/') != nullptr) {
    visit(name, context);
    return true;
  }
  if (*search == 0) search = "/usr/local/bin:/usr/bin:/bin";
  const size_t name_size = strlen(name);
  bool all_fitted = true;
  for (const char* at = search;; ++at) {
    const char* end = strchrnul(at, ':');
    size_t size = static_cast<size_t>(end - at);
    char path[PATH_MAX];
    if (size + 1 + name_size + 1 > sizeof path) {
      all_fitted = false;
    } else {
      memcpy(path, at, size);
      if (size != 0) path[size++] = '/';
      memcpy(path + size, name, name_size + 1);
      if (!visit(path, context)) return all_fitted;
    }
    if (*end == 0) return all_fitted;
    at = end;
  }
}

namespace {

struct Search {
  int error = ENOENT;
  char* interpreter;
  size_t interpreter_size;
};

// Of "#!/usr/bin/env python3" the "/usr/bin/env".
void read_interpreter(const char* path, char* out, size_t out_size) {
  *out = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  char line[256];
  ssize_t got = read(fd, line, sizeof line - 1);
  close(fd);
  if (got < 3 || line[0] != '#' || line[1] != '!') return;
  line[got] = 0;
  const char* at = line + 2;
  while (*at == ' ' || *at == '\t') ++at;
  size_t size = strcspn(at, " \t\n");
  if (size >= out_size) return;
  memcpy(out, at, size);
  out[size] = 0;
}

bool executable(const char* path, int& error) {
  struct stat status;
  if (stat(path, &status) < 0) {
    if (errno != ENOENT && errno != ENOTDIR) error = errno;
    return false;
  }
  if (!S_ISREG(status.st_mode) || access(path, X_OK) < 0) {
    error = EACCES;
    return false;
  }
  return true;
}

bool look(const char* path, void* context) {
  auto& search = *static_cast<Search*>(context);
  if (!executable(path, search.error)) return true;
  read_interpreter(path, search.interpreter, search.interpreter_size);
  int interpreter_error = ENOENT;
  if (*search.interpreter != 0 && !executable(search.interpreter, interpreter_error)) {
    search.error = interpreter_error;
    return false;
  }
  *search.interpreter = 0;
  search.error = 0;
  return false;
}

}  // namespace

int find_command(const char* name, const char* search, char* interpreter, size_t interpreter_size) {
  *interpreter = 0;
  Search state{ENOENT, interpreter, interpreter_size};
  each_candidate(name, search, look, &state);
  return state.error;
}

void probe_command(const Spec& spec) {
  const char* name = spec.string(spec.head->probe);
  if (*name == 0) return;
  char interpreter[256];
  int error = find_command(name, spec.string(spec.head->path_env), interpreter, sizeof interpreter);
  if (error == 0) return;
  if (*interpreter != 0) refuse("interpreter not found", interpreter, error);
  refuse(error == ENOENT ? "command not found" : "command not executable", name, error);
}

}  // namespace fabric::init
