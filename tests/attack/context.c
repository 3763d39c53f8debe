/* SPDX-License-Identifier: Apache-2.0
 * "key value" lines, written by outside.c. */
#include "attack.h"

static char text[16384];
static struct { char *key, *value; } pairs[96];
static size_t count;

void read_context(const char* file) {
  long size = slurp(file, text, sizeof text - 1);
  if (size < 0) {
    fprintf(stderr, "attack: %s: %s\n", file, strerror(errno));
    exit(2);
  }
  text[size] = 0;
  for (char* line = strtok(text, "\n"); line && count < 96; line = strtok(NULL, "\n")) {
    char* space = strchr(line, ' ');
    if (!space) continue;
    *space = 0;
    pairs[count].key = line;
    pairs[count++].value = space + 1;
  }
}

const char* given(const char* key) {
  for (size_t i = 0; i < count; ++i)
    if (!strcmp(pairs[i].key, key)) return pairs[i].value;
  return "";
}

long number(const char* key) { return strtol(given(key), NULL, 10); }

uint64_t token_hash(const char* token) {
  uint64_t hash = 0xcbf29ce484222325;
  for (int i = 0; i < TOKEN_SIZE; ++i) hash = (hash ^ (unsigned char)token[i]) * 1099511628211u;
  return hash;
}

bool has_token(const void* bytes, size_t size) {
  const size_t mark = strlen(TOKEN_MARK);
  const char *at = bytes, *end = at + size;
  const uint64_t hash = strtoull(given("token_hash"), NULL, 16);
  while ((at = memmem(at, (size_t)(end - at), TOKEN_MARK, mark)) != NULL) {
    at += mark;
    if (end - at >= TOKEN_SIZE && token_hash(at) == hash) return true;
  }
  return false;
}
