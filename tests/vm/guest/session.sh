# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What root does in a session that was not delegated: nobody in it may be moved.
# shellcheck source=/dev/null
. /guest/lib.sh
# shellcheck source=/dev/null
. /guest/limits.sh
: "${EAT:?}" "${cgroups:?}"
export HOME=/root
mkdir /tmp/session && cd /tmp/session || exit 1
fabric init
fabric spawn eater --memory 32M -- sh -c "$EAT"
check 'session of root: a limit holds' code 137 fabric run eater --id eaten
check 'session of root: nobody was moved' same "$(cat /proc/self/cgroup)" 0::/users/session
check 'session of root: its groups are at the top' test -d "$cgroups"/fabric-*
check 'session of root: down' fabric down
done_
