#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# pack.sh BUILD OUTPUT [SCRIPT...]: an initramfs with busybox, the fabric of BUILD with the libraries
# that it needs, and the scripts (all of guest/ when none is named).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=$1
output=$2
shift 2

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
# A merged /usr, as hosts have it.
mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64" "$root/etc" \
  "$root/proc" "$root/sys" "$root/dev" "$root/root" "$root/run" "$root/home/user" \
  "$root/opt/fabric/cmd/fabric" "$root/opt/fabric/cmd/fabric-init" "$root/guest/cases"
for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
mkdir -m 1777 "$root/tmp" "$root/var"

cp "$(command -v busybox)" "$root/usr/bin/busybox"
for applet in $(busybox --list); do
  [ -e "$root/usr/bin/$applet" ] || ln -s busybox "$root/usr/bin/$applet"
done

for program in cmd/fabric/fabric cmd/fabric-init/fabric-init; do
  strip -o "$root/opt/fabric/$program" "$build/$program"
done
# The attack suite: its scripts and its programs.
mkdir -p "$root/opt/fabric/tests/attack" "$root/guest/attack"
for program in attack fuzz_syscalls; do
  [ ! -x "$build/tests/attack/$program" ] || strip -o "$root/opt/fabric/tests/attack/$program" "$build/tests/attack/$program"
done
cp "$here"/../attack/run "$here"/../attack/fuzz "$here"/../attack/*.sh "$root/guest/attack/"
cp "$(command -v chattr)" "$(command -v lsattr)" "$root/usr/bin/"
for program in "$build/cmd/fabric/fabric" "$root/usr/bin/chattr" "$root/usr/bin/lsattr"; do
  ldd "$program" | sed -n 's/^[^/]*\(\/[^ ]*\) (.*/\1/p'
done | sort -u |
  while read -r library; do
    mkdir -p "$root/usr/${library%/*}"
    cp -L "$library" "$root/usr/${library#/usr}"
  done

printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\nuser:x:1000:\n' >"$root/etc/group"

cp "$here/guest/init" "$root/init"
cp "$here"/guest/*.sh "$root/guest/"
[ $# -gt 0 ] || set -- "$here"/guest/cases/*.sh
cp "$@" "$root/guest/cases/"

# A file system with project quotas, and what the kernel needs for it, in the order of loading.
mkdir "$root/guest/modules"
count=10
for module in crc16 mbcache jbd2 crc32c_generic ext4 quota_tree quota_v2 loop overlay; do
  found=$(find "${FABRIC_VM_MODULES:-/none}" -name "$module.ko*" 2>/dev/null | head -n 1)
  count=$((count + 1))
  case $found in
    *.xz) xz -dc "$found" >"$root/guest/modules/$count-$module.ko" ;;
    ?*) cp "$found" "$root/guest/modules/$count-$module.ko" ;;
  esac
done
truncate -s 24M "$root/guest/disk"
mkfs.ext4 -q -O quota,project "$root/guest/disk"

# Not compressed: it never leaves this machine, and an emulated one unpacks slowly.
(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) >"$output"
