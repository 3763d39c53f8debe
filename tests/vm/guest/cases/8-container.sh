#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Level container on pure v2, on a file system that can be mapped to other owners.
# shellcheck source=/dev/null
. /guest/lib.sh
export HOME=/root
for module in /guest/modules/*.ko; do insmod "$module" 2>/dev/null; done
mkdir /tmp/containers
check 'a disk' mount -o loop,prjquota /guest/disk /tmp/containers
mkdir -p /tmp/containers/c /tmp/containers/root/bin /tmp/containers/root/srv && cd /tmp/containers/c || exit 1
cp /bin/busybox /tmp/containers/root/bin/busybox
for name in sh id cat tail touch dd; do ln -s busybox /tmp/containers/root/bin/$name; done
chmod 777 /tmp/containers/root/srv

inside() { fabric sandbox run --work none --root /tmp/containers/root "$@"; }
check 'it runs there' same "$(inside -- id -u 2>/tmp/err)" 1000
[ ! -s /tmp/err ] || cat /tmp/err
check 'with ids of its own' test "$(inside -- cat /proc/self/uid_map | (read -r _ outside _ && echo "$outside"))" -ge 1610612736
inside --memory 16M -- tail /dev/zero 2>/tmp/err
check 'memory' same $? 137
check 'changes stay inside' inside -- touch /srv/new
check 'none is outside' test ! -e /tmp/containers/root/srv/new
fabric init
fabric spawn a --root /tmp/containers/root -- sh -c 'cat /srv/kept || { echo mine >/srv/kept; exit 7; }'
check 'an agent' code 7 fabric run a
fabric terminate a >/dev/null
fabric spawn a --root /tmp/containers/root -- cat /srv/kept
check 'whose changes are kept' same "$(fabric run a 2>/tmp/err)" mine
fabric spawn m --memory 16M --root /tmp/containers/root -- tail /dev/zero
fabric run m --id tm 2>/tmp/err
reason_is_memory() { fabric status tm --json=reason | grep memory; }
check 'its memory' reason_is_memory
check 'nothing is left' fabric down

done_
