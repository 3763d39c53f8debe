# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# The limits of an agent, in the workspace of the current directory. Numbers of agents are those of
# the order in which they are spawned here: the first is a1.

TREE='trap "" TERM
(trap "" TERM; setsid sleep 1001 & sleep 1001) &
sleep 1001 &
while :; do wait; done'
EAT='head -c 60000000 /dev/zero | tail -c 59999999 >/dev/null; exit 7'
# Each process makes two more, and none waits.
# shellcheck disable=SC2016  # for the agent's shell
BOMB='f() { f & f & while :; do sleep 1; done; }; f'

limits_hold() {
  fabric spawn ok -- sh -c 'cat; echo out; echo err >&2' # a1
  check 'a task runs' same "$(fabric run ok --payload '{"x":1}' 2>/dev/null)" '{"x":1}out'
  fabric spawn fail -- sh -c 'exit 3' # a2
  check 'a task fails with its own code' code 3 fabric run fail
  check 'a command that is not there leaves no agent' code 3 fabric spawn ghost -- /no/such # a3

  mkdir -p agents/tree
  printf 'command = ["sh", "-c", """%s"""]\ngrace = "300ms"\n' "$TREE" >agents/tree/agent.toml
  fabric spawn tree # a4
  check 'a tree of processes that ignore SIGTERM times out' code 8 fabric run tree --id tree --timeout 1s
  check 'and is dead' no_process 'sleep 1001'
  check 'its slot serves again' code 8 fabric run tree --timeout 200ms

  fabric spawn eater --memory 32M -- sh -c "$EAT" # a5
  check 'memory: the limit is written' same "$(cat "$(work_group 5)/memory.max")" 33554432
  check 'memory: what wants more is killed' code 137 fabric run eater --id eaten
  check 'memory: and it is said' field_is eaten state failed
  check 'memory: with the reason' field_is eaten reason memory
  check 'memory: and the peak' peak_between eaten 25000000 33554432
  check 'memory: the next attempt is not blamed for it' next_is_not_blamed

  mkdir -p agents/bomb
  printf 'command = ["sh", "-c", """%s"""]\ngrace = "300ms"\n[isolation]\npids = 20\n' "$BOMB" \
    >agents/bomb/agent.toml
  fabric spawn bomb # a6
  check 'processes: the limit is written' same "$(cat "$(work_group 6)/pids.max")" 20
  check 'processes: a fork bomb is held' code 8 fabric run bomb --id bombed --timeout 2s
  check 'processes: it met the limit' test "$(number_in "$(work_group 6)/pids.events" max)" -gt 0
  check 'processes: and it is said' detail_has bombed 'the limit of 20 processes refused'
  check 'processes: and counted' test "$(fabric status bomb --json=pids_refused | sed 's/[^0-9]//g')" -gt 0
  check 'processes: nothing is left' same "$(cat "$(work_group 6)/pids.current")" 0

  fabric spawn spin --cpu 0.2 -- sh -c 'while :; do :; done' # a7
  check 'cpu: the limit is written' same "$(cat "$(work_group 7)/cpu.max")" '20000 100000'
  check 'cpu: a loop times out' code 8 fabric run spin --id spun --timeout 2s
  check 'cpu: it was throttled' test "$(number_in "$(work_group 7)/cpu.stat" nr_throttled)" -gt 5
  check 'cpu: and it is said' detail_has spun 'because of the limit of 0.2 cores (it used'
  check 'cpu: what it used is counted' cpu_tenths_between spin 2 9

  fabric spawn daemon -- sh -c 'setsid sh -c "trap \"\" HUP TERM; sleep 1002" & echo done' # a8
  check 'a daemon left behind does not delay its task' same "$(fabric run daemon)" 'done'
  check 'and is killed' no_process 'sleep 1002'

  mkdir -p agents/many
  # shellcheck disable=SC2016  # for the agent's shell
  printf '%s\n%s\n' 'max_concurrent_tasks = 3' 'command = ["sh", "-c", """
    touch at-$FABRIC_TASK_ID
    until [ -e at-m1 ] && [ -e at-m2 ] && [ -e at-m3 ]; do sleep 1; done"""]' >agents/many/agent.toml
  fabric spawn many # a9
  for task in m1 m2 m3; do fabric schedule many --id $task >/dev/null; done
  check 'three tasks of one agent run at once' code 0 fabric wait --timeout 20s m1 m2 m3

  # shellcheck disable=SC2016  # for the worker's shell
  fabric spawn worker --kind worker -- sh -c 'while read -r line; do
    id=${line#*\"id\":}; id=${id%%[,\}]*}
    case $line in *task/run*) echo "{\"jsonrpc\":\"2.0\",\"id\":$id,\"result\":\"by $$\"}" ;; esac
  done' # a10
  for task in w1 w2; do fabric schedule worker --id $task --wait >/dev/null; done
  check 'a worker answers' fabric result w1
  check 'the same process answers again' same "$(fabric result w2)" "$(fabric result w1)"

  # shellcheck disable=SC2016  # for the agent's shell
  fabric spawn fill --disk 4M -- sh -c 'i=0; while [ $i -lt 100 ]; do
    i=$((i + 1)); head -c 200000 /dev/zero >f$i; usleep 50000; done' # a11
  check 'disk: who fills the work directory ends' code 137 fabric run fill --id filled
  check 'disk: and it is said' field_is filled reason disk
  check 'disk: with the limit' detail_has filled 'more than its limit of 4.0 MiB'
  rm .fabric/agents/fill/work/f*
  check 'disk: nothing is left frozen' code 8 fabric run fill --id room --timeout 300ms

  fabric spawn hold -- sh -c 'head -c 20000000 /dev/zero >/tmp/x; echo ready; sleep 1003' # a12
  fabric schedule hold --id hold >/dev/null
  check 'use: a task holds what it holds' until_true 20 holds 20000000 40000000
  check 'use: fabric stats shows it' stats_has '  hold '
  fabric cancel hold >/dev/null
}

detail_has() {
  case $(field_of "$1" detail) in *"$2"*) return 0 ;; esac
  fabric status "$1"
  return 1
}
stats_has() {
  case $(fabric stats) in *"$1"*) return 0 ;; esac
  fabric stats
  return 1
}
# Of the one attempt that runs; of the whole sandbox it is more.
holds() {
  between "$(fabric stats hold --json | sed -n 's/.*"attempts":.*"memory_bytes":\([0-9]*\).*/\1/p')" "$1" "$2"
}

used() { fabric status "$1" --json | sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p"; }
between() {
  if [ "${1:-0}" -ge "$2" ] && [ "$1" -le "$3" ]; then return 0; fi
  echo "$1 is not between $2 and $3"
  return 1
}
peak_between() { between "$(used "$1" memory_peak_bytes)" "$2" "$3"; }
cpu_tenths_between() {
  between "$(fabric status "$1" --json=cpu_seconds | sed 's/.*:\([0-9]*\)\.\([0-9]\).*/\1\2/; s/^0//')" "$2" "$3"
}
# The same agent, its slot used again: neither the kill nor the peak is that of the one before.
next_is_not_blamed() {
  fabric schedule eater --id again --timeout 1ms --wait
  field_is again reason timeout && between "$(used again memory_peak_bytes)" 0 20000000
}
