# fabric sandbox run: one command, no workspace, agent or store.
load helper

refute_match() { [[ ! $1 =~ $2 ]] || { printf "got: %s\nmatches: %s\n" "$1" "$2" >&2; return 1; }; }

# No fabric.toml above, nothing that belongs to a workspace.
outside() {
  mkdir -p "$BATS_TEST_TMPDIR/o"
  cd "$BATS_TEST_TMPDIR/o" || return 1
}

box() { fabric sandbox run "$@"; }
as_user() { setpriv --reuid 1001 --regid 1001 --clear-groups --inh-caps=-all "$@"; }
# Those of runs that are alive or were before this test do not count.
groups_of_runs() { find /sys/fs/cgroup -type d -name 'fabric-run-*' 2>/dev/null | sort; }
leaves_no_group() {
  local before
  before=$(groups_of_runs)
  "$@" || return 1
  wait_until 10 nothing_new "$before"
}
nothing_new() {
  local group
  for group in $(comm -13 <(echo "$1") <(groups_of_runs)); do
    [ -d "/proc/${group##*-}" ] || { [ -d "$group" ] && return 1; }
  done
  return 0
}

@test "the command's output, input and exit code are its own; no workspace is made or needed" {
  requires root namespaces
  outside
  run --separate-stderr bash -c 'echo in | "$FABRIC" sandbox run -- sh -c "cat; echo err >&2; exit 7"'
  expect_status 7
  expect_equal "$output" in
  expect_equal "$stderr" err
  expect_equal "$(ls -A)" ""
}

@test "exit codes: 128+n, 126, 127, 8 and 125" {
  requires root namespaces
  outside
  run -137 --separate-stderr box -- sh -c 'kill -9 $$'
  run -127 --separate-stderr box -- nosuchcommand
  expect_match "$stderr" 'command not found: nosuchcommand'
  touch plain
  run -126 --separate-stderr box -- ./plain
  run -8 --separate-stderr box --timeout 200ms -- sleep 30
  expect_match "$stderr" 'longer than 200ms'
  run -125 --separate-stderr box -- 
  expect_match "$stderr" 'no command'
  run -125 --separate-stderr box --no-such-option -- true
}

@test "the current directory is /work and may be changed; files come out owned by the caller" {
  requires root namespaces
  outside
  echo here >given
  run box -- sh -c 'cat given; echo made >made; pwd; id -u'
  expect_status 0
  [ "${lines[0]}" = here ] && [ "${lines[1]}" = /work ]
  [ "${lines[2]}" -gt 100000 ]
  expect_equal "$(stat -c %u made)" "$(id -u)"
}

@test "a home, the root and the system's directories are handed over only when named" {
  requires root namespaces
  outside
  echo secret >secret
  run --separate-stderr env HOME="$PWD" "$FABRIC" sandbox run -- ls -A
  expect_equal "$output" ""
  expect_match "$stderr" 'home directory'
  run --separate-stderr env HOME="$PWD" "$FABRIC" sandbox run --work . -- ls -A
  expect_equal "$output" secret
  cd /
  run --separate-stderr box -- ls -A
  expect_equal "$output" ""
  run --separate-stderr box --work none -- sh -c 'echo x >f && cat f'
  expect_equal "$output" x
}

@test "the walls and limits of an agent stand; outside the same succeeds" {
  requires root namespaces cgroups
  outside
  local probe='cat /etc/shadow >/dev/null && echo READ; touch "$1" && echo WROTE; grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status | tr -d "\t"'
  expect_match "$(sh -c "$probe" sh "$BATS_TEST_TMPDIR/x" 2>/dev/null)" 'READ.*WROTE'
  run box -- sh -c "$probe" sh "$BATS_TEST_TMPDIR/y" 2>/dev/null
  refute_match "$output" 'READ|WROTE'
  expect_match "$output" 'CapEff:0000000000000000'
  expect_match "$output" 'Seccomp:2'
  run -137 --separate-stderr box --memory 32M -- sh -c 'exec head -c 200000000 /dev/zero | tail -c 199999999; exit 137'
  run --separate-stderr box --pids 5 -- sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; wait'
  [ "$status" -ne 0 ]
}

@test "system call policies hold, and nothing waits for somebody who would be told" {
  requires root namespaces python3
  outside
  cat >try <<'PYTHON'
import ctypes, errno, threading
libc = ctypes.CDLL(None, use_errno=True)
def call(*a): return "ok" if libc.syscall(*a) >= 0 else errno.errorcode[ctypes.get_errno()]
for _ in range(1000): socket = call(41, 40, 1, 0)
open("x", "w").close()
thread = threading.Thread(target=print, args=(socket, call(90, b"x", 0o4755), call(101, 0, 0, 0, 0)))
thread.start()
thread.join()
PYTHON
  expect_equal "$(python3 try | cut -d' ' -f2)" ok
  box() { timeout 20 "$FABRIC" sandbox run "$@"; }
  expect_equal "$(box -- python3 try)" "EAFNOSUPPORT EPERM EPERM"
  expect_equal "$(box --seccomp default+other-processes -- python3 try)" "EAFNOSUPPORT EPERM ok"
  expect_equal "$(box --seccomp permissive -- python3 try)" "EAFNOSUPPORT EPERM ok"
  expect_equal "$(box --seccomp strict -- python3 try)" "ENOSYS EPERM EPERM"
  run -125 --separate-stderr box --seccomp default+mounts -- true
  expect_match "$stderr" 'is a wall'
  run -125 --separate-stderr box --seccomp default+nonsense -- true
  expect_match "$stderr" "no group 'nonsense'"
}

@test "memory beyond the limit is said" {
  requires root namespaces cgroups python3
  outside
  run -137 --separate-stderr box --memory 32M -- python3 -c 'x = bytearray(200000000)'
  expect_match "$stderr" 'more memory than 32'
}

@test "nothing that it started survives, and no cgroup" {
  requires root namespaces
  outside
  leaves_no_group box -- sh -c 'setsid sleep 4242 & exit 0'
  ! pgrep -f '^sleep 4242' || return 1
}

@test "everything in it dies with fabric" {
  requires root namespaces
  outside
  mkfifo started
  "$FABRIC" sandbox run -- sh -c 'echo >started; exec sleep 4343' 3>&- &
  local pid=$!
  read -r _ <started
  pgrep -f '^sleep 4343' >/dev/null
  kill -9 "$pid"
  wait_until 10 eval '! pgrep -f "^sleep 4343" >/dev/null'
}

@test "signals are the command's" {
  requires root namespaces
  outside
  mkfifo started
  "$FABRIC" sandbox run -- sh -c 'trap "exit 33" TERM; echo >started; while :; do sleep 0.05; done' 3>&- &
  local pid=$!
  read -r _ <started
  kill -TERM "$pid"
  local code=0
  wait "$pid" || code=$?
  expect_equal "$code" 33
}

@test "it ends with our parent when asked to" {
  requires root namespaces
  outside
  mkfifo started
  sh -c '"$FABRIC" sandbox run --die-with-parent -- sh -c "echo >started; exec sleep 4444" & wait' 3>&- &
  local pid=$!
  read -r _ <started
  kill -9 "$pid"
  wait_until 10 eval '! pgrep -f "^sleep 4444" >/dev/null'
}

@test "what is not built yet is refused with 9, and not ignored" {
  outside
  run -9 --separate-stderr box --output-rate 1M -- true
}

@test "as an ordinary user: walls without limits, and limits are refused with 9 or written down" {
  requires root namespaces setpriv
  USER_DIR=$(mktemp -d /tmp/fabric-user-XXXXXX) # above bats' own directory they may not look
  chown 1001:1001 "$USER_DIR"
  cd "$USER_DIR"
  run --separate-stderr as_user "$FABRIC" sandbox run --memory none --cpu none --pids none -- sh -c 'echo ok >f; cat f; cat /root/.profile; grep -c . /proc/self/uid_map'
  expect_match "$output" '^ok'
  expect_equal "$(stat -c %u f)" 1001
  run -9 --separate-stderr as_user "$FABRIC" sandbox run -- true
  expect_match "$stderr" 'cannot be enforced here'
  expect_match "$stderr" 'Delegate=yes'
  expect_match "$stderr" '\-\-degrade'
  run -0 --separate-stderr as_user "$FABRIC" sandbox run --degrade -- true
  expect_match "$stderr" 'weaker: memory is not limited'
  cd "$WORKSPACE"
  rm -rf "$USER_DIR"
}

@test "level none: limits, no walls" {
  requires root cgroups
  outside
  run -5 box --isolation none -- sh -c 'test -r /etc/shadow && exit 5'
  leaves_no_group box --isolation none -- sh -c 'sleep 4545 & exit 0'
  wait_until 5 eval '! pgrep -f "^sleep 4545" >/dev/null'
}

a_hundred() {
  local pids=() i
  for i in $(seq 100); do
    "$FABRIC" sandbox run -- sh -c "echo $i >f$i" 3>&- &
    pids+=($!)
  done
  for i in "${pids[@]}"; do wait "$i"; done
  expect_equal "$(cat f* | sort -n | tr '\n' ' ')" "$(seq 100 | tr '\n' ' ')"
}

@test "a hundred at once" {
  requires root namespaces
  outside
  leaves_no_group a_hundred
}

@test "a terminal is the command's: Ctrl-C ends it, Ctrl-Z does not stop it" {
  requires root namespaces python3
  outside
  run python3 - "$FABRIC" <<'END'
import os, pty, select, sys, time
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "sandbox", "run", "--work", "none", "--", "cat"])
seen = b""
def wait_for(text):
    global seen
    deadline = time.time() + 20
    while text not in seen:
        if time.time() > deadline: sys.exit("never saw %r, but %r" % (text, seen))
        if select.select([terminal], [], [], 0.5)[0]: seen += os.read(terminal, 4096)
os.write(terminal, b"one\n")
wait_for(b"one\r\none\r\n")
os.write(terminal, b"\x1a")
os.write(terminal, b"two\n")
wait_for(b"two\r\ntwo\r\n")
os.write(terminal, b"\x03")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
  expect_status 130
}

runs_as() { [[ $(readlink "/proc/$1/exe") == */"$2" ]]; }

@test "fabric-run does it, gives back what it does not serve, and is not needed" {
  requires root namespaces
  outside
  local init pid
  init=$(dirname "$(dirname "$(readlink -f "$FABRIC")")")/fabric-init/fabric-init
  [ -x "$init" ] || init=$(dirname "$(dirname "$(readlink -f "$FABRIC")")")/libexec/fabric/fabric-init
  mkdir -p p/bin p/libexec/fabric
  cp "$(readlink -f "$FABRIC")" p/bin/fabric
  cp "$init" p/libexec/fabric/
  # Without it, and what both say of a mistake.
  run p/bin/fabric sandbox run --work none --memory 64M -- sh -c 'exit 5'
  expect_status 5
  run p/bin/fabric sandbox run --memroy 64M -- true
  expect_status 125
  local said=$output
  run box --memroy 64M -- true
  expect_status 125
  expect_equal "$output" "$said"
  run box --memory 64M --memory 32M -- true
  expect_status 125
  expect_match "$output" "given more than once"
  # A policy other than the built-in one is fabric's own work, as is one that is not there.
  run box --work none --seccomp strict -- sh -c 'exit 6'
  expect_status 6

  [ -x "$(dirname "$(dirname "$(readlink -f "$FABRIC")")")/fabric-run/fabric-run" ] || return 0 # a build with sanitizers
  mkfifo hold
  "$FABRIC" sandbox run --work none -- cat <hold >/dev/null &
  pid=$!
  exec 8>hold
  wait_until 10 runs_as "$pid" fabric-run
  exec 8>&-
  wait "$pid"
  "$FABRIC" sandbox run --work none --seccomp default -- cat <hold >/dev/null &
  pid=$!
  exec 8>hold
  wait_until 10 grep -qz "sandbox run" "/proc/$pid/cmdline"
  runs_as "$pid" fabric
  exec 8>&-
  wait "$pid"
}

@test "a home that HOME names by a link, or does not name, is not handed over either" {
  requires root namespaces
  mkdir -p "$BATS_TEST_TMPDIR/real"
  ln -s real "$BATS_TEST_TMPDIR/link"
  cd "$BATS_TEST_TMPDIR/real" || return 1
  HOME="$BATS_TEST_TMPDIR/link" run -0 --separate-stderr box -- touch /work/x
  expect_match "$stderr" 'your home directory'
  [ ! -e x ]
  cd ~root || return 1
  run -0 --separate-stderr env -u HOME "$FABRIC" sandbox run -- ls -A /work
  expect_equal "$output" ""
}

# A fabric whose init somebody else may write, so that it runs a sealed copy of it in memory.
copying_fabric() {
  local init
  init=$(dirname "$(dirname "$(readlink -f "$FABRIC")")")/fabric-init/fabric-init
  [ -x "$init" ] || init=$(dirname "$(dirname "$(readlink -f "$FABRIC")")")/libexec/fabric/fabric-init
  mkdir -p "$BATS_TEST_TMPDIR/c/bin" "$BATS_TEST_TMPDIR/c/libexec/fabric"
  cp "$(readlink -f "$FABRIC")" "$BATS_TEST_TMPDIR/c/bin/fabric"
  cp "$init" "$BATS_TEST_TMPDIR/c/libexec/fabric/"
  chown 65534 "$BATS_TEST_TMPDIR/c/libexec/fabric/fabric-init"
  echo "$BATS_TEST_TMPDIR/c/bin/fabric"
}

@test "limits of the caller: said, not died of" {
  requires root namespaces
  outside
  local copying
  copying=$(copying_fabric)
  limited() {
    ulimit "$1" "$2"
    "$copying" sandbox run -- true
  }
  run --separate-stderr limited -f 40
  [ "$status" -ne 153 ] # 128 + SIGXFSZ
  expect_match "$stderr" 'File too large'
  run --separate-stderr limited -n 8
  [ "$status" -ne 0 ]
  expect_match "$stderr" '^fabric: '
}

@test "a machine on which memory files cannot be executed is said, with what mends it" {
  requires root namespaces unshare
  [ -e /proc/sys/vm/memfd_noexec ] || skip "this kernel has no vm.memfd_noexec"
  outside
  run -9 --separate-stderr unshare -pfm --mount-proc sh -c 'echo 2 >/proc/sys/vm/memfd_noexec; exec "$0" sandbox run -- true' "$(copying_fabric)"
  expect_match "$stderr" 'sysctl vm.memfd_noexec=1'
}

@test "what a command did to the terminal and to its streams does not stay when it died" {
  requires root namespaces python3 script
  outside
  cat >after.sh <<'END'
stty sane
"$FABRIC" sandbox run --work none -- sh -c 'stty raw -echo; kill -9 $$'
stty -a | grep -oE -- '-?icanon|-?echo '
"$FABRIC" sandbox run --work none --timeout 100ms -- sh -c 'stty raw -echo; sleep 9' 2>/dev/null
stty -a | grep -oE -- '-?icanon|-?echo '
"$FABRIC" sandbox run --work none -- stty -echo
stty -a | grep -oE -- '-?icanon|-?echo '
"$FABRIC" sandbox run --work none -- python3 -c 'import os; os.set_blocking(1, False)'
python3 -c 'import os; print(os.get_blocking(1))'
END
  FABRIC="$FABRIC" script -qec "sh after.sh" typed </dev/null >/dev/null
  expect_equal "$(grep -v '^Script' typed | tr -d '\r' | xargs)" "icanon echo icanon echo icanon -echo True"
}
