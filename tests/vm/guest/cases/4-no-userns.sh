#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An ordinary user where user namespaces are turned off, as some distributions and AppArmor do: there is
# no sandbox of level process for him, and that is said, with exit code 9 and the cause. Nothing weaker
# is started in its place.
# shellcheck source=/dev/null
. /guest/lib.sh
chown user /home/user
as_user() { HOME=/home/user su -s /bin/sh user -c "$*"; }
cat >/guest/no-userns-user.sh <<'END'
. /guest/lib.sh
mkdir "$HOME/n" && cd "$HOME/n" || exit 1
fabric init
hint() { fabric spawn a --memory none --cpu none --pids none -- true 2>&1 | grep -F "$1"; }
none='--memory none --cpu none --pids none'
check 'no user namespaces: doctor exits with 9' code 9 fabric doctor
check 'no user namespaces: spawn exits with 9' code 9 fabric spawn a $none -- true
check 'no user namespaces: the cause is said' hint 'namespaces'
check 'no user namespaces: and the setting that mends it' hint 'max_user_namespaces'
check 'no user namespaces: no agent is left' same "$(fabric agents --json)" '[]'
check 'no user namespaces: level container is refused too' code 9 fabric spawn b $none --isolation container --root /usr -- true
check 'no user namespaces: level none works where it is asked for' fabric spawn c $none --isolation none -- sh -c 'id -u'
check 'and runs as the user' same "$(fabric run c)" 1000
fabric down
done_
END
echo 0 >/proc/sys/user/max_user_namespaces
as_user sh /guest/no-userns-user.sh || failures=$((failures + 1))
# Root maps the owner of a directory with one. What fabric made for the agent changes its owner, which
# is said; a directory of the user's does not.
mkdir /tmp/r /tmp/mine && cd /tmp/r || exit 1
echo x >/tmp/mine/file
fabric init
for_root() { fabric spawn a --work /tmp/mine -- true 2>&1 | grep -F "$1"; }
check 'root without user namespaces: a directory of the user is refused with 9' code 9 fabric spawn a --work /tmp/mine -- true
check 'root without user namespaces: the setting that mends it' for_root 'max_user_namespaces'
check 'root without user namespaces: no agent is left' same "$(fabric agents --json)" '[]'
check 'root without user namespaces: its file is still the user'"'"'s' same "$(stat -c %u /tmp/mine/file)" 0
weaker() { fabric spawn b -- id -u 2>&1 | grep -F 'weaker'; }
check 'root without user namespaces: a directory of the agent changes its owner, and that is said' weaker
check 'and is not root inside' test "$(fabric run b)" -ge 100000
fabric down
echo 1000 >/proc/sys/user/max_user_namespaces
check 'and with them it works' fabric spawn c -- true
fabric down
done_
