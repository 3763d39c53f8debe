// SPDX-License-Identifier: Apache-2.0
// A task that says when it began to run: nanoseconds of CLOCK_MONOTONIC in 20 digits. Static, with
// musl: it starts in 0.05 ms.
#include <stdint.h>
#include <time.h>
#include <unistd.h>

int main(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  uint64_t ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
  char text[21];
  text[20] = '\n';
  for (int i = 19; i >= 0; --i, ns /= 10) text[i] = (char)('0' + ns % 10);
  return write(1, text, sizeof text) == (ssize_t)sizeof text ? 0 : 1;
}
