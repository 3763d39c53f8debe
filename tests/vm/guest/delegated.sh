# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What an ordinary user does in his delegated group.
# shellcheck source=/dev/null
. /guest/lib.sh
mkdir "$HOME/w" && cd "$HOME/w" || exit 1
check 'doctor finds v2' same "$(fabric doctor --json=cgroups)" '{"cgroups":"v2"}'
check 'doctor lacks nothing' same "$(fabric doctor --json=lacking)" '{"lacking":null}'
check 'doctor puts back whom it moved' same "$(cat /proc/self/cgroup)" 0::/users/delegated
fabric init
printf '[supervisor]\nstop_timeout = "1s"\n' >fabric.toml
# shellcheck source=/dev/null
. /guest/limits.sh
limits_hold
# shellcheck source=/dev/null
. /guest/life.sh
outlives_supervisor
# A second workspace in the same group.
mkdir ../second
fabric init ../second
fabric -C ../second spawn a --memory 32M -- true
check 'a second workspace serves' fabric -C ../second run a
goes_down first
check 'the second outlives the first' fabric -C ../second run a
check 'down' fabric -C ../second down
done_
