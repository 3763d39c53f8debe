#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SIGKILL of the supervisor at random moments of a running batch. Afterwards: every acknowledged task
# is in a terminal state exactly once, with the exit code and the result that are its own; no task ran
# to its end twice under one attempt; no process, cgroup or socket of any agent is left.
#
#   tests/crash/kill_supervisor.sh [-n KILLS] [-s SEED] [FABRIC]
#
# Default 200 kills (about two minutes). The seed is printed; a failed run keeps its workspace.
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
# Each run leaves a mark with its attempt, prints its own id and ends with the code in its payload.
# shellcheck disable=SC2016
for agent in a b c; do
  "$fabric" -C "$ws" spawn $agent --memory 64M -- sh -c '
    echo "$FABRIC_TASK_ID" >> started
    i=0; while [ $i -lt "$2" ]; do i=$((i + 1)); done
    echo "$FABRIC_TASK_ID"
    echo "$FABRIC_TASK_ID" >> ended
    exit "$1"' work '{payload.code}' '{payload.spin}' >/dev/null 2>&1
done

supervisor_pid() {
  "$fabric" -C "$ws" status --json | sed -n 's/.*"supervisor":{[^}]*"pid":\([0-9]\+\).*/\1/p'
}
batch_number=0
submit_batch() {  # 60 more tasks; acknowledged ids go to the ledger outside the workspace
  batch_number=$((batch_number + 1))
  local i agents=(a b c)
  for i in $(seq 1 60); do
    printf '{"id":"t%d-%d","agent":"%s","payload":{"code":"%d","spin":"%d"}}\n' "$batch_number" "$i" \
      "${agents[$((i % 3))]}" $((i % 4)) $((RANDOM % 4000))
  done > "$scratch/batch"
  if "$fabric" -C "$ws" schedule --batch "$scratch/batch" 2>/dev/null > "$scratch/acknowledged"; then
    cat "$scratch/acknowledged" >> "$scratch/ledger"
  fi
}

: > "$scratch/ledger"
for round in $(seq 1 "$kills"); do
  pending=$("$fabric" -C "$ws" tasks --state pending --limit 20 --json=id | grep -c '"id"' || true)
  if [ "$pending" -lt 20 ]; then submit_batch; fi
  pid=$(supervisor_pid)
  # The kill itself is the randomness under test: between 0 and 200 ms after the last restart.
  perl -e 'select(undef, undef, undef, rand(0.2))'
  kill -9 "$pid" 2>/dev/null || fail "round $round: supervisor $pid was gone before it was killed"
  if [ $((RANDOM % 4)) -eq 0 ]; then submit_batch; fi  # without a supervisor: straight to the store
  "$fabric" -C "$ws" up --detach >/dev/null 2>"$scratch/up.err" || fail "round $round: $(cat "$scratch/up.err")"
done

total=$(wc -l < "$scratch/ledger")
echo "$kills kills done, $total tasks acknowledged; waiting for the rest"
xargs -n 500 "$fabric" -C "$ws" wait --timeout 120s < "$scratch/ledger" >/dev/null 2>&1 || true

"$fabric" -C "$ws" tasks --limit all --json=id,state,exit_code,reason,attempt,payload,result_bytes > "$scratch/tasks.json"
"$fabric" -C "$ws" store check >/dev/null || fail "store check"
python3 - "$scratch" <<'P' || fail "see above"
import collections, json, pathlib, sys
scratch = pathlib.Path(sys.argv[1])
ledger = scratch.joinpath("ledger").read_text().split()
tasks = json.loads(scratch.joinpath("tasks.json").read_text())
tasks = tasks if isinstance(tasks, list) else tasks["tasks"]
by_id = {t["id"]: t for t in tasks}
bad = []
if len(by_id) != len(tasks): bad.append("an id twice in the list")
if len(set(ledger)) != len(ledger): bad.append("an id acknowledged twice")
again = 0
for task_id in ledger:
    t = by_id.get(task_id)
    if t is None: bad.append(f"{task_id}: acknowledged and lost"); continue
    code = int(t["payload"]["code"])
    want = "completed" if code == 0 else "failed"
    if t["state"] != want: bad.append(f'{task_id}: {t["state"]} ({t["reason"]}), expected {want}')
    elif t["exit_code"] != code: bad.append(f'{task_id}: exit code {t["exit_code"]}, expected {code}')
    elif t["result_bytes"] != len(task_id) + 1: bad.append(f"{task_id}: result lost")
    again += t["attempt"] > 1
ended = collections.Counter()
for agent in "abc":
    f = scratch / f"ws/.fabric/agents/{agent}/work/ended"
    ended.update(f.read_text().split())
for task_id in ledger:
    runs, attempts = ended[task_id], by_id[task_id]["attempt"] if task_id in by_id else 0
    if runs < 1 or runs > attempts: bad.append(f"{task_id}: ran to its end {runs} times in {attempts} attempts")
for line in bad[:20]: print(line, file=sys.stderr)
twice = sum(1 for i in ledger if ended[i] > 1)
print(f"{len(ledger)} tasks, {again} with more than one attempt, {twice} ran to their end more than once, {len(bad)} wrong")
sys.exit(bool(bad))
P
"$fabric" -C "$ws" down >/dev/null
left=$(pgrep -f "$ws" || true)
[ -z "$left" ] || fail "processes left: $left"
[ -z "$(find "$ws/.fabric/run" -type s)" ] || fail "sockets left"
echo "OK"
