#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Rules about paths on an older kernel: what they need of the mount API is there, and where a file
# system has no id maps (tmpfs before Linux 6.3) a directory that can be changed is refused.
# shellcheck source=/dev/null
. /guest/lib.sh
export HOME=/root
mkdir -p /tmp/paths/w /tmp/paths/project/secret && cd /tmp/paths/w || exit 1
echo token >../project/secret/key
echo text >../project/file
check 'init' fabric init

fabric spawn ro --ro /tmp/paths/project:/p --hide /p/secret --hide /p/absent -- \
  sh -c 'cat /p/file; cat /p/secret/key; ls /p/secret; echo x >/p/new; echo x >/p/file; echo end'
check 'ro and hide' same "$(fabric run ro 2>/dev/null | tr '\n' ' ')" 'text end '
check 'a placeholder stands' test -e ../project/absent
fabric terminate ro
check 'and is gone' test ! -e ../project/absent

check 'spawn with a path that is not there yet' fabric spawn own --no-write /work/a/keep --hide /work/none -- \
  sh -c 'echo x >a/keep; rm -f a/keep; mv a b; echo x >none; mv none n; mkdir c; echo y >c/y; cat c/y'
check 'no-write and hide in its own directory' same "$(fabric run own 2>/dev/null)" y
check 'nothing was written' test ! -s .fabric/agents/own/work/a/keep

attempt() { fabric spawn rw --rw /tmp/paths/project:/p -- sh -c 'echo new >/p/new; stat -c %u /p/new'; }
case $(uname -r) in
  6.1.*) check 'rw without id maps is refused' code 9 attempt ;;
  *)
    check 'rw' attempt
    fabric run rw >/dev/null
    check 'what it makes is the owner of the directory' same "$(stat -c %u ../project/new)" 0
    ;;
esac
fabric down
done_
