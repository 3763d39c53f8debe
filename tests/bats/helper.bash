# SPDX-License-Identifier: Apache-2.0
# What every file loads. A test gets a fresh workspace as its current directory and its own list of
# trusted workspaces; afterwards nothing of it may be left: no process, no cgroup, no socket.

bats_require_minimum_version 1.5.0

# shellcheck disable=SC2154 # BATS_* and FABRIC are set by bats and by ./dev
: "${FABRIC:=$BATS_TEST_DIRNAME/../../build/release/cmd/fabric/fabric}"

setup() {
  [ -x "$FABRIC" ] || { echo "no fabric at $FABRIC: ./dev build" >&2; return 1; }
  fabric() { "$FABRIC" "$@"; }
  export LC_ALL=C.UTF-8
  export XDG_STATE_HOME="$BATS_TEST_TMPDIR/state"
  unset FABRIC_WORKSPACE FABRIC_CORRELATION_ID TRACEPARENT NO_COLOR COLUMNS
  WORKSPACE="$BATS_TEST_TMPDIR/w"
  mkdir "$WORKSPACE"
  WORKSPACE=$(cd "$WORKSPACE" && pwd -P)
  cd "$WORKSPACE" || return 1
  fabric init >/dev/null 2>&1
}

teardown() {
  cd "$WORKSPACE" || return 1
  # Agents outlive a supervisor that was killed: then the next one ends them.
  if [ -e .fabric/run/owner ]; then
    fabric down >/dev/null 2>&1 || { nothing_left || { fabric up --detach && fabric down; } >/dev/null; }
  fi
  wait_until 10 nothing_left || { what_is_left >&2; return 1; }
}

# --- leftovers

# The name below which the supervisor puts every cgroup of this workspace.
cgroup_name() {
  local hash=$((0xcbf29ce484222325)) i byte
  for ((i = 0; i < ${#WORKSPACE}; i++)); do
    printf -v byte %d "'${WORKSPACE:i:1}"
    hash=$(((hash ^ byte) * 1099511628211))
  done
  printf 'fabric-%012x' $((hash & 0xffffffffffff))
}

# Processes that work for this workspace: they have it in their environment, or as an argument.
workspace_processes() {
  local file
  for file in $(grep -lzxs -- "FABRIC_WORKSPACE=$WORKSPACE" /proc/[0-9]*/environ) \
    $(grep -lzxs -- "$WORKSPACE" /proc/[0-9]*/cmdline); do
    echo "$file: $(tr '\0' ' ' 2>/dev/null <"${file%/*}/cmdline")"
  done
}

workspace_cgroups() {
  find /sys/fs/cgroup -type d -name "$(cgroup_name)" 2>/dev/null
}

workspace_sockets() {
  find .fabric/run -type s 2>/dev/null
}

what_is_left() {
  workspace_processes
  workspace_cgroups
  workspace_sockets
}

nothing_left() { [ -z "$(what_is_left)" ]; }

# --- waiting: for a condition, with a deadline

# wait_until SECONDS COMMAND...: until COMMAND succeeds.
wait_until() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    if [ $SECONDS -ge "$end" ]; then
      echo "gave up waiting for: $*" >&2
      return 1
    fi
    read -rt 0.05 <> <(:) || true
  done
}

# The value of one field of a task or an agent.
field_of() { fabric status "$1" --json="$2" | jq -r ".$2"; }

state_is() { [ "$(field_of "$1" state)" = "$2" ]; }

wait_for_state() { wait_until "${3:-10}" state_is "$1" "$2"; }

supervisor_pid() { fabric status --json=supervisor | jq -r .supervisor.pid; }

# --- needs

# requires root|cgroups|namespaces|TOOL...: else the test is skipped, which CI counts as a failure.
requires() {
  local need missing=
  for need in "$@"; do
    case $need in
      root) [ "$(id -u)" = 0 ] || missing="$missing root" ;;
      cgroups) [ -d /sys/fs/cgroup ] && fabric doctor --json=memory 2>/dev/null | grep -q true ||
        missing="$missing cgroups" ;;
      namespaces) fabric doctor --json=namespaces 2>/dev/null | grep -q true ||
        missing="$missing namespaces" ;;
      *) command -v "$need" >/dev/null || missing="$missing $need" ;;
    esac
  done
  [ -z "$missing" ] && return 0
  if [ "${CI:-}" = true ] || [ "${FABRIC_STRICT:-}" = 1 ]; then
    echo "this machine lacks:$missing" >&2
    return 1
  fi
  skip "this machine lacks:$missing"
}

# --- assertions that say what they saw

expect_status() {
  # shellcheck disable=SC2154 # set by run
  [ "$status" -eq "$1" ] && return 0
  # shellcheck disable=SC2154
  printf 'exit code %s, not %s\nstdout: %s\nstderr: %s\n' "$status" "$1" "$output" "${stderr:-}" >&2
  return 1
}

expect_equal() {
  [ "$1" = "$2" ] && return 0
  printf 'got:      %s\nexpected: %s\n' "$1" "$2" >&2
  return 1
}

expect_match() {
  [[ $1 =~ $2 ]] && return 0
  printf 'got:            %s\ndoes not match: %s\n' "$1" "$2" >&2
  return 1
}

# refused CODE REGEX COMMAND...: fails with CODE, nothing on stdout, one error line that matches.
refused() {
  local code=$1 regex=$2
  shift 2
  run --separate-stderr "$@"
  expect_status "$code" || return 1
  expect_equal "$output" "" || return 1
  # shellcheck disable=SC2154
  expect_match "$stderr" "$regex" || return 1
  expect_equal "$(grep -c '^fabric: error: ' <<<"$stderr")" 1
}

# serve_site [PYTHON]: a web server on the host's loopback, SERVER its pid and PORT where, with a page
# "from outside". PYTHON: a class Handler in the place of the one that serves files.
serve_site() {
  mkdir "$BATS_TEST_TMPDIR/site"
  echo "from outside" >"$BATS_TEST_TMPDIR/site/page"
  python3 - "$BATS_TEST_TMPDIR/site" "$BATS_TEST_TMPDIR/port" "${1:-}" 3>&- <<'PYTHON' 2>/dev/null &
import http.server, os, sys, threading, time
Handler = http.server.SimpleHTTPRequestHandler
exec(sys.argv[3])
os.chdir(sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
open(sys.argv[2] + ".new", "w").write(str(server.server_port))
os.rename(sys.argv[2] + ".new", sys.argv[2])
server.serve_forever()
PYTHON
  # shellcheck disable=SC2034 # for teardown
  SERVER=$!
  wait_until 10 test -s "$BATS_TEST_TMPDIR/port"
  PORT=$(cat "$BATS_TEST_TMPDIR/port")
  # What a sandbox is refused has to be possible where there is none.
  expect_equal "$(curl -sS "http://127.0.0.1:$PORT/page")" "from outside"
}

# known_as NAME...: names of the host's loopback, for the egress processes of this workspace only.
known_as() {
  # Readable by the account that they become, which the test's directory is not.
  HOSTS=$(mktemp /tmp/fabric-hosts-XXXXXX)
  chmod 644 "$HOSTS"
  echo "127.0.0.1 $*" >"$HOSTS"
  printf '[egress]\nhosts_file = "%s"\n' "$HOSTS" >fabric.toml
}
