# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# An ordinary user in a group that is not his: no limit can hold, so none is promised.
# shellcheck source=/dev/null
. /guest/lib.sh
mkdir "$HOME/u" && cd "$HOME/u" || exit 1
check 'not delegated: doctor exits with 9' code 9 fabric doctor
fabric init
hint() { fabric spawn a --memory 32M -- true 2>&1 | grep -F "$1"; }
check 'not delegated: a limit is refused with 9' code 9 fabric spawn a --memory 32M -- true
check 'not delegated: it is said what cannot be' hint 'a memory limit cannot be enforced here'
check 'not delegated: and what to type' hint 'systemd-run --user --scope -p Delegate=yes'
check 'not delegated: no agent is left' same "$(fabric agents --json)" '[]'
mkdir -p agents/free
printf 'command = ["sh", "-c", "setsid sleep 1003 & id -u"]\n[isolation]\nmemory_mb = "none"\ncpu_cores = "none"\npids = "none"\n' \
  >agents/free/agent.toml
check 'not delegated: without limits it works' fabric spawn free
check 'not delegated: and the walls stand' same "$(fabric run free)" 1000
check 'not delegated: nothing survives its task' no_process 'sleep 1003'
fabric down
done_
