#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# kernel.sh CACHE SERIES: prints the path of a Debian kernel of that series, got from its package
# once. Nothing is installed.
set -eu

cache=$1
case $2 in
  6.1) meta=linux-image-cloud-amd64 ;;  # of Debian 12
  *) meta=linux-image-$2-cloud-amd64 ;;
esac

found=$(find "$cache/$2" -name 'vmlinuz-*' 2>/dev/null | head -n 1)
if [ -z "$found" ] || [ ! -d "$cache/$2/lib/modules" ]; then
  package=$(apt-cache depends "$meta" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' |
    head -n 1)
  [ -n "$package" ] || {
    echo "kernel.sh: error: apt offers no $meta: apt-get update" >&2
    exit 1
  }
  mkdir -p "$cache/$2"
  cd "$cache/$2"
  apt-get download "$package" >&2
  # And what a file system with quotas needs.
  dpkg-deb --fsys-tarfile ./*.deb | tar -x --wildcards ./boot './lib/modules/*/kernel/fs/*' \
    './lib/modules/*/kernel/lib/*' './lib/modules/*/kernel/crypto/*' \
    './lib/modules/*/kernel/drivers/block/*'
  rm -f ./*.deb
  found=$(find "$cache/$2" -name 'vmlinuz-*' | head -n 1)
fi
printf '%s\n' "$found"
