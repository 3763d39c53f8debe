# What a machine cannot build: refused with 9 and what mends it, or with --degrade left out, written
# down and shown.
load helper

as_user() { setpriv --reuid 1001 --regid 1001 --clear-groups --inh-caps=-all "$@"; }

# A kernel without Landlock: the system call is not there for this command and what it starts.
without_landlock() {
  python3 -c '
import ctypes, os, struct, sys
code = struct.pack("HBBI", 0x20, 0, 0, 0) + struct.pack("HBBI", 0x15, 0, 1, 444)
code += struct.pack("HBBI", 0x06, 0, 0, 0x00050000 | 38) + struct.pack("HBBI", 0x06, 0, 0, 0x7fff0000)
buffer = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxQ", 4, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
if libc.prctl(22, 2, program, 0, 0) != 0: sys.exit(99)
os.execvp(sys.argv[1], sys.argv[1:])' "$@"
}

# A work directory on a file system that cannot be mapped to other owners.
on_overlay() {
  # shellcheck disable=SC2016
  unshare -m --propagation private sh -c '
    mkdir -p "$0/l" "$0/u" "$0/k" "$0/m" && echo x >"$0/l/file" &&
    mount -t overlay overlay -o "lowerdir=$0/l,upperdir=$0/u,workdir=$0/k" "$0/m" && cd "$0/m" || exit 99
    "$@"; code=$?; stat -c "%u %n" file made 2>/dev/null; exit $code' "$BATS_TEST_TMPDIR" "$@"
}

@test "a limit without a cgroup: agents say so in status, agents and JSON" {
  requires root namespaces setpriv jq
  local home
  home=$(mktemp -d /tmp/fabric-user-XXXXXX) # above bats' own directory they may not look
  chown 1001:1001 "$home"
  cd "$home"
  export XDG_STATE_HOME="$home/state"
  as_user "$FABRIC" init >/dev/null 2>&1
  run -9 --separate-stderr as_user "$FABRIC" spawn a -- true
  expect_match "$stderr" 'cannot be enforced here'
  expect_match "$stderr" '\-\-degrade'
  run --separate-stderr as_user "$FABRIC" spawn a --degrade -- true
  expect_status 0
  expect_match "$stderr" 'weaker: memory is not limited'
  expect_match "$(as_user "$FABRIC" status a)" 'weaker +memory is not limited'
  expect_match "$(as_user "$FABRIC" agents)" 'ready, weaker'
  as_user "$FABRIC" status a --json | jq -e '.degraded | length == 3 and all(contains("no cgroup"))'
  as_user "$FABRIC" down >/dev/null 2>&1
  cd "$WORKSPACE"
  rm -rf "$home"
}

@test "nothing is weaker where nothing is lacking" {
  requires root namespaces cgroups
  fabric spawn a --degrade -- true
  fabric status a --json | jq -e '.degraded == []'
  run -0 --separate-stderr fabric sandbox run --degrade -- true
  expect_equal "$stderr" ""
}

@test "no Landlock" {
  requires root namespaces cgroups python3
  run -9 --separate-stderr without_landlock "$FABRIC" sandbox run -- true
  expect_match "$stderr" 'the kernel has no Landlock'
  expect_match "$stderr" 'lsm=landlock'
  run -0 --separate-stderr without_landlock "$FABRIC" sandbox run --degrade -- true
  expect_match "$stderr" 'weaker: file access has one wall'
}

@test "a work directory that cannot be mapped: nobody's files change their owner unasked" {
  requires root namespaces cgroups unshare
  run -9 --separate-stderr on_overlay "$FABRIC" sandbox run -- sh -c 'echo x >made'
  expect_match "$stderr" 'files of the work directory belong to'
  expect_match "$output" '^0 file$'
  run -0 --separate-stderr on_overlay "$FABRIC" sandbox run --degrade -- sh -c 'echo x >made'
  expect_match "$stderr" 'weaker: .*the files of the work directory belong to'
  expect_match "$output" '0 file.0 made'
}
