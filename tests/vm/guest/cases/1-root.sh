#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# As root, on a hierarchy whose root has all controllers.
# shellcheck source=/dev/null
. /guest/lib.sh
export HOME=/root
mkdir /tmp/root && cd /tmp/root || exit 1

doctor() {
  for need in memory cpu pids cgroup_kill namespaces; do
    same "$(fabric doctor --json=$need)" "{\"$need\":true}" || return 1
  done
  same "$(fabric doctor --json=cgroups)" '{"cgroups":"v2"}'
}
check 'doctor finds v2 and all limits' doctor
check 'doctor leaves no group' same "$(groups_left)" ''
check 'init' fabric init
printf '[supervisor]\nstop_timeout = "1s"\n' >fabric.toml

# shellcheck source=/dev/null
. /guest/limits.sh
limits_hold

# --- walls and levels
fabric spawn none --isolation none --memory 64M -- sh -c 'id -u; pwd'
check 'isolation none' same "$(fabric run none)" "0
$PWD/.fabric/agents/none/work"
fabric spawn walled -- sh -c 'id -u; ls /sys /root /guest; echo end'
check 'isolation process: no cgroup file system, no files of the host' \
  same "$(fabric run walled 2>/dev/null | tail -n 1)" end
check 'and not as root of the host' \
  test "$(fabric run walled 2>/dev/null | head -n 1)" -ge 100000

# shellcheck source=/dev/null
. /guest/life.sh
outlives_supervisor
goes_down

done_
