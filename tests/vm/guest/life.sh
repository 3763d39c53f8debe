# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# The supervisor's death and the workspace's end.

outlives_supervisor() {
  # shellcheck disable=SC2016  # for the agent's shell
  fabric spawn survivor --memory 32M -- sh -c 'echo start >>log; until [ -e go ]; do sleep 1; done; echo answer; exit 5'
  fabric schedule survivor --id long >/dev/null
  check 'a task is running' until_true 10 test -s .fabric/agents/survivor/work/log
  kill -9 "$(supervisor_pid)"
  check 'a new supervisor adopts it' fabric up --detach
  check 'it still runs' field_is long state running
  touch .fabric/agents/survivor/work/go
  check 'its exit code is the true one' code 5 fabric wait long --timeout 20s
  check 'it ran once' same "$(cat .fabric/agents/survivor/work/log)" start
  check 'its agent runs another' code 5 fabric run survivor
  fabric spawn later --memory 32M -- sh -c "$EAT"
  check 'limits are made and hold under the new supervisor' code 137 fabric run later --id eaten2
  check 'with the reason' field_is eaten2 reason memory
  fabric schedule tree --id last >/dev/null
  check 'a tree runs' until_true 10 pgrep_f 'sleep 1001'
}

# goes_down [first]: first: of several workspaces
goes_down() {
  check 'down' fabric down
  check 'down leaves no process of an agent' no_process 'sleep 100'
  [ $# -gt 0 ] && return
  check 'nor an init' no_process fabric-init
  check 'nor a supervisor' no_process 'fabric up'
  check 'nor a group' until_true 3 no_groups_left
}
no_groups_left() { same "$(groups_left)" ''; }
