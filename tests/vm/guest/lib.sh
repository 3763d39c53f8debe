# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What every script of the guest loads. A line per check, as TAP has it.

export LC_ALL=C.UTF-8 NO_COLOR=1
PATH=/opt/fabric/cmd/fabric:/usr/bin:/usr/sbin
failures=0
cgroups=/sys/fs/cgroup

# now: tenths of a second since the machine started, in $now.
now() {
  read -r up _ </proc/uptime
  now=${up%.*}${up#*.}
  now=$((now / 10))
}
now
before=$now

# Each line says how long it took since the one before.
ok() {
  now
  printf 'ok %s # %s.%s s\n' "$1" $(((now - before) / 10)) $(((now - before) % 10))
  before=$now
}
not_ok() {
  printf 'not ok %s\n' "$1"
  failures=$((failures + 1))
}
# check NAME COMMAND...: passes when COMMAND succeeds; else its output is shown.
check() {
  name=$1
  shift
  if output=$("$@" 2>&1); then ok "$name"; else
    not_ok "$name (exit code $?)"
    printf '%s\n' "$output" | sed 's/^/    /'
  fi
}
# code NUMBER COMMAND...: COMMAND exits with it.
code() {
  expected=$1
  shift
  got=0
  "$@" || got=$?
  [ $got -eq "$expected" ] || {
    echo "exit code $got, not $expected: $*"
    return 1
  }
}
# same GOT EXPECTED
same() { [ "$1" = "$2" ] || { printf 'got %s, not %s\n' "$1" "$2"; return 1; }; }
# until_true SECONDS COMMAND...: COMMAND succeeds within that time.
until_true() {
  tries=$(($1 * 10))
  shift
  until "$@"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || { echo "gave up waiting: $*"; return 1; }
    usleep 100000
  done
}
# field_of ID NAME: a field of a task, as JSON without its quotes.
field_of() { fabric status "$1" --json="$2" | sed 's/^{"[^"]*"://; s/}$//; s/"//g'; }
field_is() { same "$(field_of "$1" "$2")" "$3"; }
supervisor_pid() { fabric status --json=supervisor | sed -n 's/.*"pid":\([0-9]*\).*/\1/p'; }
# work_group AGENT-NUMBER: the directory of the group that its limits are on.
work_group() { find $cgroups -type d -path "*/a$1-*/work" | head -n 1; }
number_in() { sed -n "s/^$2 //p" "$1"; }
no_process() { ! pgrep_f "$1"; }
# pgrep_f TEXT: a process other than ours with TEXT in its command line.
pgrep_f() {
  for process in /proc/[0-9]*; do
    [ "${process#/proc/}" = $$ ] && continue
    line=$(tr '\0' ' ' 2>/dev/null <"$process/cmdline") || continue
    case $line in *"$1"*) echo "${process#/proc/}: $line"; return 0 ;; esac
  done
  return 1
}
groups_left() { find $cgroups -mindepth 1 -type d -name 'fabric*'; }
done_() { exit $((failures > 0)); }
