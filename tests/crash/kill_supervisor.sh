#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SIGKILL of the supervisor, and of clients that schedule, at random moments of running batches: DAGs,
# retries, exclusive keys, claims by hand. Afterwards (check_books.py): every acknowledged task is in the
# terminal state that follows from its line, exactly once, with the exit code and the result that are
# its own; no task ran to its end twice under one attempt; no dependency was overtaken; no process,
# cgroup or socket of any agent is left.
#
#   tests/crash/kill_supervisor.sh [-n KILLS] [-s SEED] [FABRIC]
#
# Default 200 kills (about a minute). The seed is printed; a failed run keeps its workspace.
set -euo pipefail

kills=200
seed=$$
while getopts n:s: option; do
  case $option in
    n) kills=$OPTARG ;;
    s) seed=$OPTARG ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
fabric=${1:-fabric}
RANDOM=$seed
scratch=$(mktemp -d)
ws=$scratch/ws
export XDG_STATE_HOME=$scratch/state
echo "seed $seed, $kills kills, workspace $ws"

fail() {
  echo "FAILED: $* (seed $seed; workspace kept in $ws)" >&2
  trap - EXIT
  "$fabric" -C "$ws" down >/dev/null 2>&1 || true
  exit 1
}
trap '"$fabric" -C "$ws" down >/dev/null 2>&1 || true; rm -rf "$scratch"' EXIT

"$fabric" init "$ws" >/dev/null
# Each run leaves a mark with its attempt, prints its own id and ends with the code in its payload; one
# that has to fail before ends with 75 until it has done so often enough.
# shellcheck disable=SC2016
for agent in a b c; do
  "$fabric" -C "$ws" spawn $agent --memory 64M -- sh -c '
    i=0; while [ $i -lt "$2" ]; do i=$((i + 1)); done
    echo "$FABRIC_TASK_ID"
    echo "$FABRIC_TASK_ID" >> ended
    if [ "$3" -gt 0 ] && [ "$(grep -cx "$FABRIC_TASK_ID" ended)" -le "$3" ]; then exit 75; fi
    exit "$1"' work '{payload.code}' '{payload.spin}' '{payload.fails}' >/dev/null 2>&1
done
"$fabric" -C "$ws" spawn ext --kind external >/dev/null 2>&1

supervisor_pid() {
  "$fabric" -C "$ws" status --json | sed -n 's/.*"supervisor":{[^}]*"pid":\([0-9]\+\).*/\1/p'
}
here=$(dirname "$0")
random_sleep() { perl -e 'select(undef, undef, undef, rand($ARGV[0]))' "$1"; }

batch_number=0
make_batch() {
  batch_number=$((batch_number + 1))
  python3 "$here/make_batch.py" $batch_number "$seed" "$scratch/known" > "$scratch/batch"
  cat "$scratch/batch" >> "$scratch/sent"
}
send_batch() {  # acknowledged ids go to the ledger outside the workspace
  "$fabric" -C "$ws" schedule --batch "$scratch/batch" 2>"$scratch/send.err" > "$scratch/acknowledged" || return 1
  cat "$scratch/acknowledged" >> "$scratch/ledger"
  sed -n 's/^{.*"id": "\([^"]*\)".*/\1/p' "$scratch/batch" >> "$scratch/known"
}
submit_batch() {
  make_batch
  send_batch || true
}
submit_killed() {  # the client dies at some moment; then the very same batch is sent again
  make_batch
  # shellcheck disable=SC2016
  if perl -e 'my $pid = fork; if (!$pid) { open STDOUT, ">", "/dev/null"; open STDERR, ">", "/dev/null"; exec @ARGV }
      select(undef, undef, undef, rand(0.005)); kill 9, $pid; waitpid $pid, 0; exit(($? & 127) != 9)' \
    "$fabric" -C "$ws" schedule --batch "$scratch/batch"; then
    clients=$((clients + 1))
  fi
  send_batch || fail "batch $batch_number sent again: $(cat "$scratch/send.err")"
}

# One task of the external agent: claimed, and then completed, given back, or forgotten.
serve_by_hand() {  # [OPTION of claim...]
  local claim id lease code attempt
  claim=$("$fabric" -C "$ws" claim ext --json "$@" 2>/dev/null) || return 0
  id=$(sed -n 's/.*"id": *"\([^"]*\)".*/\1/p' <<< "$claim")
  lease=$(sed -n 's/.*"lease": *\([0-9]*\).*/\1/p' <<< "$claim")
  attempt=$(sed -n 's/.*"attempt": *\([0-9]*\).*/\1/p' <<< "$claim")
  code=$(sed -n 's/.*"code": *"\([0-9]*\)".*/\1/p' <<< "$claim")
  if [ -z "$lease" ] || [ -z "$code" ]; then fail "cannot read a claim: $claim"; fi
  case $((RANDOM % 10)) in
    0) if [ "$attempt" -eq 1 ] && [ "$forget" = yes ]; then return 0; fi ;;  # its lease will run out
    1) "$fabric" -C "$ws" release "$id" --lease "$lease" >/dev/null 2>&1 || true
       return 0 ;;
  esac
  local answer=(--result "$id by hand")
  if [ "$code" -ne 0 ]; then answer=(--error 'by hand' --exit-code "$code"); fi
  if "$fabric" -C "$ws" complete "$id" --lease "$lease" "${answer[@]}" >/dev/null 2>&1; then
    echo "$id $lease" >> "$scratch/completions"
  fi
}

for book in ledger sent known completions; do : > "$scratch/$book"; done
clients=0
forget=yes
for round in $(seq 1 "$kills"); do
  pending=$("$fabric" -C "$ws" tasks --state pending --limit 20 --json=id | grep -c '"id"' || true)
  if [ "$pending" -lt 20 ]; then
    if [ $((RANDOM % 3)) -eq 0 ]; then submit_killed; else submit_batch; fi
  fi
  pid=$(supervisor_pid)
  if [ $((RANDOM % 2)) -eq 0 ]; then serve_by_hand --lease 1s; fi
  # The kill itself is the randomness under test: between 0 and 150 ms after the last restart.
  random_sleep 0.15
  kill -9 "$pid" 2>/dev/null || fail "round $round: supervisor $pid was gone before it was killed"
  # Without a supervisor: straight to the store.
  case $((RANDOM % 8)) in
    0) submit_batch ;;
    1) submit_killed ;;
    2) serve_by_hand --lease 1s ;;
  esac
  "$fabric" -C "$ws" up --detach >/dev/null 2>"$scratch/up.err" || fail "round $round: $(cat "$scratch/up.err")"
done

total=$(wc -l < "$scratch/ledger")
echo "$kills kills done, and $clients of clients, $total tasks acknowledged; waiting for the rest"
{ xargs -n 500 "$fabric" -C "$ws" wait --timeout 120s < "$scratch/ledger" >/dev/null 2>&1 || true; } &
waiter=$!
forget=no
while kill -0 $waiter 2>/dev/null; do serve_by_hand --wait=200ms --lease 10s; done
wait $waiter

"$fabric" -C "$ws" tasks --limit all --json > "$scratch/tasks.json"
"$fabric" -C "$ws" store check >/dev/null || fail "store check"
for agent in a b c; do cp "$ws/.fabric/agents/$agent/work/ended" "$scratch/ended.$agent"; done
python3 "$here/check_books.py" "$scratch" || fail "see above"
"$fabric" -C "$ws" down >/dev/null
left=$(pgrep -f "$ws" || true)
[ -z "$left" ] || fail "processes left: $left"
[ -z "$(find "$ws/.fabric/run" -type s)" ] || fail "sockets left"
echo "OK"
