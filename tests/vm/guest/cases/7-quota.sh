#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# As root, on a file system that keeps project quotas.
# shellcheck source=/dev/null
. /guest/lib.sh
export HOME=/root
for module in /guest/modules/*.ko; do insmod "$module" 2>/dev/null; done
mkdir /tmp/disk
check 'a file system with project quotas' mount -o loop,prjquota /guest/disk /tmp/disk
mkdir /tmp/disk/w && cd /tmp/disk/w || exit 1
fabric init

log_has() {
  case $(fabric logs "$1" --stderr 2>&1) in *"$2"*) return 0 ;; esac
  fabric logs "$1"
  return 1
}
FILL='dd if=/dev/zero of=f bs=64k count=96'
fabric spawn free -- sh -c "$FILL"
check 'it has room for 6 MiB' code 0 fabric run free
rm .fabric/agents/free/work/f
fabric spawn tight --disk 2M -- sh -c "$FILL" # a2
check 'the quota is told' field_is tight disk_quota 'project quota'
check 'more than the limit is refused' code 1 fabric run tight --id t
check 'by the file system, with its own words' log_has t 'quota'
held() { du -sk .fabric/agents/tight/work | cut -f1; }
check 'what is there is no more than the limit' test "$(held)" -le 2048
check 'use is what the file system counts' test "$(fabric stats tight --json=disk_bytes | sed 's/[^0-9]//g')" -ge 1900000

# Ways out of the project, which the owner of a file has elsewhere.
fabric spawn leave --disk 2M -- sh -c 'mkdir d; chattr -p 0 d; chattr -P d; chattr -P .; cd d; '"$FILL"
check 'who would leave the project cannot' code 1 fabric run leave
check 'and holds no more either' test "$(du -sk .fabric/agents/leave/work | cut -f1)" -le 2048
mkdir out && chattr -p 7 out
check 'outside that does work' test "$(lsattr -pd out | sed 's/ *\([0-9]*\).*/\1/')" = 7
# shellcheck disable=SC2016 # $i is the inner shell's
fabric spawn inodes --disk 1M -- sh -c 'i=0; while [ $i -lt 1500 ]; do i=$((i + 1)); : >$i || exit 1; done'
check 'nor can it be filled with empty files' code 1 fabric run inodes

# What was there before counts too, and a limit can go.
fabric terminate tight >/dev/null
mv .fabric/agents/tight/work/f kept
fabric spawn old -- true
fabric terminate old >/dev/null
cp kept .fabric/agents/old/work/f
fabric spawn old --disk 1M -- sh -c 'echo x >y'
check 'what was there before counts' code 1 fabric run old
fabric terminate old >/dev/null
fabric spawn old -- sh -c 'echo x >y'
check 'without a limit there is none' code 0 fabric run old
fabric spawn none --isolation none --disk 1M -- true
check 'root itself is watched: no quota binds it' field_is none disk_quota watched
fabric down >/dev/null
done_
