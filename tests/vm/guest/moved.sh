# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# moved.sh before|after: a workspace whose supervisor starts in one group and, killed, in another.
# shellcheck source=/dev/null
. /guest/lib.sh
# shellcheck source=/dev/null
. /guest/limits.sh
case $1 in
  before)
    fabric init "$HOME/moved"
    cd "$HOME/moved" || exit 1
    # shellcheck disable=SC2016  # for the agent's shell
    fabric spawn a --memory 32M -- sh -c 'echo start >>log; until [ -e go ]; do sleep 1; done; exit 5'
    fabric schedule a --id long >/dev/null
    check 'moved: a task is running' until_true 10 test -s .fabric/agents/a/work/log
    kill -9 "$(supervisor_pid)"
    ;;
  after)
    cd "$HOME/moved" || exit 1
    printf '[supervisor]\nstop_timeout = "1s"\n' >fabric.toml
    check 'moved: the successor serves' fabric up --detach
    check 'moved: the task still runs' field_is long state running
    check 'moved: what it uses is known' test "$(used a memory_bytes)" -gt 0
    fabric spawn b --memory 32M -- sh -c "$EAT"
    check 'moved: new agents have limits' code 137 fabric run b
    touch .fabric/agents/a/work/go
    check 'moved: the task ends as it should' code 5 fabric wait long --timeout 20s
    check 'moved: down' fabric down
    ;;
esac
done_
