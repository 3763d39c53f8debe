#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fabric sandbox run on pure v2: limits that hold, nothing left; refused where no user namespace may
# be made.
# shellcheck source=/dev/null
. /guest/lib.sh
export HOME=/root
mkdir /tmp/one && cd /tmp/one || exit 1
# The tmpfs of old kernels cannot be mapped to another owner.
if ! fabric sandbox run -- true 2>/tmp/err; then
  check 'who cannot map says so' grep -q 'belong to' /tmp/err
  cd / || exit 1
fi

code_of() {
  "$@" >/tmp/out 2>/tmp/err
  echo $?
}
runs_left() { find /sys/fs/cgroup -name 'fabric-run-*'; }
no_runs_left() { [ -z "$(runs_left)" ]; }

check 'the exit code is the command'"'"'s' same "$(code_of fabric sandbox run -- sh -c 'exit 7')" 7
check 'not as root of the host' \
  test "$(fabric sandbox run -- sh -c 'id -u' 2>/tmp/err)" -ge 100000
check 'memory' same "$(code_of fabric sandbox run --memory 16M -- sh -c 'tail /dev/zero')" 137
check 'and it is said' grep -q 'more memory than 16' /tmp/err
fork_some() {
  fabric sandbox run --pids 4 -- sh -c 'for i in 1 2 3 4 5 6; do sleep 1 & done; wait' 2>&1 |
    grep -q -i 'fork'
}
check 'the number of processes' fork_some
check 'no group is left' no_runs_left
check 'a command that leaves a daemon' same "$(code_of fabric sandbox run -- sh -c 'sleep 99 & exit 3')" 3
check 'no group is left of that' no_runs_left

proofs() {
  fabric doctor --json=proofs >/tmp/out 2>/tmp/err
  grep -q '"name":"memory","rule":"--memory 32M","verdict":"holds"' /tmp/out && ! grep broken /tmp/out
}
check 'doctor: every promise holds' proofs

no_overlay() {
  if grep -qw overlay /proc/filesystems; then return 0; fi
  mkdir -p /tmp/one/root/bin
  same "$(code_of fabric sandbox run --degrade --work none --root /tmp/one/root -- true)" 9 && { grep -q 'modprobe overlay' /tmp/err || { cat /tmp/err; false; }; }
}
check 'no overlay file system: 9, and what to type' no_overlay

# shellcheck disable=SC2016
no_user_namespaces() {
  echo 0 >/proc/sys/user/max_user_namespaces
  result=$(HOME=/home/user code_of su -s /bin/sh user -c 'PATH=/opt/fabric/cmd/fabric:$PATH; fabric sandbox run --degrade --work none -- true')
  echo 15000 >/proc/sys/user/max_user_namespaces
  same "$result" 9 && grep -q 'sysctl user.max_user_namespaces' /tmp/err
}
check 'no user namespaces: 9, and what to type' no_user_namespaces

done_
