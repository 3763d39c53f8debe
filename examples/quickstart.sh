#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The main job, end to end, in a new workspace: three agents in different sandboxes work on this
# repository, 200 tasks of mixed priority run, one fails, one times out, one is cancelled, one tries
# to leave its sandbox, and the supervisor is killed with SIGKILL in the middle. Nothing is lost.
#
#   examples/quickstart.sh [FABRIC]     FABRIC: the binary, default `fabric` in PATH
set -eu

fabric=${1:-fabric}
repository=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
workspace=$scratch/demo
# The demo is a guest: its workspace is registered in a state directory of its own.
XDG_STATE_HOME=$scratch/state
export XDG_STATE_HOME
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
else
  say() { printf '\n%s\n' "$*"; }
fi
show() {
  printf '$ fabric'
  for word in "$@"; do
    case $word in
      *[!A-Za-z0-9_./=:,@%+-]*) printf " '%s'" "$word" ;;
      *) printf ' %s' "$word" ;;
    esac
  done
  printf '\n'
}
run() {
  show "$@"
  "$fabric" "$@"
}
clean_up() {
  "$fabric" -C "$workspace" down >/dev/null 2>&1 || true
  rm -rf "$scratch"
}
trap clean_up EXIT

say 'A workspace, and three agents with different sandboxes'
"$fabric" init "$workspace" >/dev/null
cd "$workspace"
# shellcheck disable=SC2016  # $1 is for the agents' shells
{
  run spawn counter --memory 64M --cpu 0.5 -- sh -c 'wc -l < "$1"' count '{payload.file}'
  run spawn builder --memory 512M --label team=build -- \
    sh -c 'cc -Wall -O1 -o program "$1" && ./program "$2"' build '{payload.source}' '{payload.argument}'
  run spawn summary --isolation none --memory 64M -- \
    awk '{ words += NF } END { print NR " lines, " words " words" }'
}

say 'Real input: the sources of this repository, copied into the work directories'
for agent in counter builder; do cp -r "$repository/lib" ".fabric/agents/$agent/work/"; done
cat > .fabric/agents/builder/work/primes.c <<'C'
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char** argv) {
  int limit = argc > 1 ? atoi(argv[1]) : 100, count = 0;
  for (int n = 2; n < limit; n++) {
    int prime = 1;
    for (int d = 2; d * d <= n && prime; d++) prime = n % d != 0;
    count += prime;
  }
  printf("%d primes below %d\n", count, limit);
  return 0;
}
C
echo 'a secret of the host' > "$scratch/secret"

say '200 tasks of mixed priority in one transaction: count the lines of source files'
(cd "$repository" && find lib -name '*.?pp' | sort) > "$scratch/files"
awk '
  { files[NR] = $0 }
  END {
    split("critical high normal low", priorities, " ")
    for (i = 1; i <= 200; i++)
      printf "{\"id\":\"count-%d\",\"agent\":\"counter\",\"type\":\"count\",\"priority\":\"%s\",\"payload\":{\"file\":\"%s\"}}\n",
             i, priorities[1 + i % 4], files[1 + i % NR]
  }' "$scratch/files" > "$scratch/batch.ndjson"
show schedule --batch batch.ndjson
"$fabric" schedule --batch "$scratch/batch.ndjson" >/dev/null

say 'One that works, one that fails, one that hangs, one to cancel, one that tries to get out'
run schedule builder --id primes --payload '{"source":"primes.c","argument":"100000"}'
run schedule builder --id broken --payload '{"source":"no-such-file.c","argument":"1"}'
run spawn sleeper --memory 32M -- sleep '{payload.seconds}'
run schedule sleeper --id hangs --payload '{"seconds":600}' --timeout 1s
run schedule sleeper --id unwanted --payload '{"seconds":600}'
run schedule counter --id nosy --payload "{\"file\":\"$scratch/secret\"}" --priority critical
run cancel unwanted
run schedule summary --id words --payload '{"log":"what the agent reads on its standard input"}'

say 'The supervisor dies in the middle (SIGKILL), and a new one takes over'
pid=$("$fabric" status --json | sed -n 's/.*"supervisor":{[^}]*"pid":\([0-9]*\).*/\1/p')
printf '$ kill -9 %s\n' "$pid"
kill -9 "$pid"
run up --detach

say 'Every task ends'
"$fabric" tasks --limit all --json=id | sed -n 's/.*"id":"\([^"]*\)".*/\1/p' > "$scratch/ids"
# shellcheck disable=SC2046  # ids have no spaces
"$fabric" wait --timeout 60s $(cat "$scratch/ids") >/dev/null || true
run result primes
run result count-1
for task in broken hangs unwanted nosy; do run status "$task"; done
run logs nosy --stderr || true

say 'Nothing was lost'
run status
lost=$("$fabric" tasks --limit all --json=state | grep -c -E 'pending|running' || true)
total=$(wc -l < "$scratch/ids")
printf '\n%s tasks scheduled, %s not ended\n' "$total" "$lost"
[ "$total" -eq 206 ] && [ "$lost" -eq 0 ]
