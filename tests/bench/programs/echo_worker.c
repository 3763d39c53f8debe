// SPDX-License-Identifier: Apache-2.0
// A worker that does nothing: tells on stderr when it began to run (as stamp does), then answers
// every task/run at once with the moment it was read, until the end of its input. Static, with musl.
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static unsigned long long now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (unsigned long long)now.tv_sec * 1000000000u + (unsigned long long)now.tv_nsec;
}

int main(void) {
  dprintf(2, "%020llu\n", now_ns());
  static char line[1 << 20];
  while (fgets(line, sizeof line, stdin)) {
    if (strstr(line, "\"method\":\"shutdown\"")) return 0;
    const char *id = strstr(line, "\"id\":\"");
    if (!id || !strstr(line, "\"method\":\"task/run\"")) continue;
    id += 6;
    const char *end = strchr(id, '"');
    if (!end) return 1;
    printf("{\"jsonrpc\":\"2.0\",\"id\":\"%.*s\",\"result\":%llu}\n", (int)(end - id), id, now_ns());
    fflush(stdout);
  }
  return 0;
}
