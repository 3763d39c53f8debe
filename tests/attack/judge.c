/* SPDX-License-Identifier: Apache-2.0
 * Joins what was said outside, what was said inside and what the outside has seen of the inside.
 * What is LAYERED got through only if the outside has seen it, at level container. Files of the
 * directory: bare ("NAME STATE user|root DETAIL"), inside ("NAME STATE DETAIL"), seen
 * ("NAME WHAT"), pending ("NAME WHY"). */
#include "attack.h"

static char* load(const char* directory, const char* name) {
  char path[512];
  static const long most = 4 << 20;
  char* text = malloc((size_t)most);
  snprintf(path, sizeof path, "%s/%s", directory, name);
  long size = slurp(path, text + 1, (size_t)most - 2);
  text[0] = '\n';
  text[1 + (size > 0 ? size : 0)] = 0;
  return text;
}

static bool starts(const char* text, const char* word) {
  return !strncmp(text, word, strlen(word));
}

/* What follows NAME in its last line, or in one that says SUCCEEDED; false when there is none. */
static bool line_of(const char* text, const char* name, char* rest, size_t size) {
  char key[80];
  bool found = false;
  snprintf(key, sizeof key, "\n%s ", name);
  for (const char* at = text; (at = strstr(at, key)) != NULL;) {
    at += strlen(key);
    snprintf(rest, size, "%.*s", (int)strcspn(at, "\n"), at);
    found = true;
    if (starts(rest, "SUCCEEDED")) break; /* it may run in several agents */
  }
  return found;
}

int judge(const char* directory, bool layered, int verbose) {
  char *bare = load(directory, "bare"), *inside = load(directory, "inside");
  char *seen = load(directory, "seen"), *pending = load(directory, "pending");
  int held = 0, got_through = 0, unclear = 0, not_here = 0, waiting = 0;
  for (size_t i = 0; probe_at(i); ++i) {
    const struct probe* probe = probe_at(i);
    char outside[300] = "", within[300] = "", hit[300] = "", why[300] = "";
    const char *verdict = "blocked", *reason = within;
    bool ran = line_of(inside, probe->name, within, sizeof within);
    bool was_seen = line_of(seen, probe->hit ? probe->hit : probe->name, hit, sizeof hit);
    line_of(bare, probe->name, outside, sizeof outside);
    if (line_of(pending, probe->name, why, sizeof why)) {
      ++waiting;
      verdict = "pending", reason = why;
    } else if ((starts(within, "SUCCEEDED") && !(layered && probe->flags & LAYERED)) || was_seen) {
      ++got_through;
      verdict = "THROUGH", reason = was_seen ? hit : within;
    } else if (!*outside && !ran) {
      continue; /* was not asked for */
    } else if (!starts(outside, "SUCCEEDED")) {
      ++not_here;
      verdict = "no proof", reason = outside;
    } else if (!ran || starts(within, "UNAVAILABLE")) {
      ++unclear;
      verdict = "UNCLEAR", reason = ran ? within : "it said nothing";
    } else {
      ++held;
      if (!verbose) continue;
    }
    if (!verbose && (!strcmp(verdict, "no proof") || !strcmp(verdict, "pending"))) continue;
    printf("%-9s %-26s %-5s %s\n", verdict, probe->name,
           starts(outside, "SUCCEEDED root") ? "root"
           : starts(outside, "SUCCEEDED")    ? "user"
                                             : "-",
           reason);
  }
  char hit[300];
  if (line_of(seen, "unknown", hit, sizeof hit)) {
    ++got_through;
    printf("%-9s %-26s -     %s\n", "THROUGH", "of an unknown probe", hit);
  }
  printf("%d blocked, %d through, %d unclear; %d prove nothing here, %d pending\n", held,
         got_through, unclear, not_here, waiting);
  return got_through + unclear > 0;
}
