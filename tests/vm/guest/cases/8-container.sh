#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Level container on pure v2, on a file system that can be mapped to other owners.
# shellcheck source=/dev/null
. /guest/lib.sh
export HOME=/root
for module in /guest/modules/*.ko; do insmod "$module" 2>/dev/null; done
mkdir /tmp/disk
check 'a disk' mount -o loop,prjquota /guest/disk /tmp/disk
mkdir -p /tmp/disk/w /tmp/disk/root/bin /tmp/disk/root/srv && cd /tmp/disk/w || exit 1
cp /bin/busybox /tmp/disk/root/bin/busybox
for name in sh id cat tail touch dd; do ln -s busybox /tmp/disk/root/bin/$name; done
chmod 777 /tmp/disk/root/srv

inside() { fabric sandbox run --work none --root /tmp/disk/root "$@"; }
check 'it runs there' same "$(inside -- id -u 2>/tmp/err)" 1000
[ ! -s /tmp/err ] || cat /tmp/err
check 'with ids of its own' test "$(inside -- cat /proc/self/uid_map | (read -r _ outside _ && echo "$outside"))" -ge 1610612736
inside --memory 16M -- tail /dev/zero 2>/tmp/err
check 'memory' same $? 137
check 'changes stay inside' inside -- touch /srv/new
check 'none is outside' test ! -e /tmp/disk/root/srv/new
fabric init
fabric spawn a --root /tmp/disk/root -- sh -c 'cat /srv/kept || { echo mine >/srv/kept; exit 7; }'
check 'an agent' code 7 fabric run a
fabric terminate a >/dev/null
fabric spawn a --root /tmp/disk/root -- cat /srv/kept
check 'whose changes are kept' same "$(fabric run a 2>/tmp/err)" mine
fabric spawn m --memory 16M --root /tmp/disk/root -- tail /dev/zero
fabric run m --id tm 2>/tmp/err
reason_is_memory() { fabric status tm --json=reason | grep memory; }
check 'its memory' reason_is_memory
check 'nothing is left' fabric down

done_
