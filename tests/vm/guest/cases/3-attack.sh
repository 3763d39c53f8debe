#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The attack suite (tests/attack) on pure cgroup v2, as root and as an ordinary user in a delegated
# group. No overlay file system is needed for its laboratory: this machine is thrown away.
# shellcheck source=/dev/null
. /guest/lib.sh
export ATTACK_THROWAWAY=1
no_groups_left() { same "$(groups_left)" ''; }
for user in root user; do
  check "attacks, started by $user" sh /guest/attack/run -u $user /opt/fabric
done
check 'nothing is left of them' no_groups_left
done_
