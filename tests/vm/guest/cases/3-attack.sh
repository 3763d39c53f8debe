#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The attack suite (tests/attack) on pure cgroup v2, as root and as an ordinary user in a delegated
# group. No overlay file system is needed for its laboratory: this machine is thrown away. It is on
# ext4, whose files can be shown under another owner by every kernel.
# shellcheck source=/dev/null
. /guest/lib.sh
for module in /guest/modules/*.ko; do insmod "$module" 2>/dev/null; done
truncate -s 256M /tmp/disk
# By its path: the shell has one of its own.
/usr/bin/mke2fs -q -O has_journal,extent /tmp/disk && mkdir -p /mnt && mount -o loop /tmp/disk /mnt
chmod 1777 /mnt
export ATTACK_THROWAWAY=1 TMPDIR=/mnt
no_groups_left() { same "$(groups_left)" ''; }
for level in process container; do
  for user in root user; do
    check "attacks at level $level, started by $user" sh /guest/attack/run -u $user -l $level /opt/fabric
  done
done
check 'nothing is left of them' no_groups_left
done_
