# fabric doctor: what it says was tried.
load helper

as_user() { setpriv --reuid 1001 --regid 1001 --clear-groups --inh-caps=-all "$@"; }

@test "every promise of a sandbox was tried, and holds" {
  requires root namespaces cgroups
  run --separate-stderr fabric doctor --json
  expect_status 0
  jq -e '.proofs | length > 25 and all(.verdict == "holds" or .name == "socket-vsock" or .name == "socket-packet" or .name == "socket-mptcp")' <<<"$output" || {
    jq -r '.proofs[] | select(.verdict != "holds")' <<<"$output"
    return 1
  }
  jq -e '[.proofs[].name] | contains(["read-file", "connect-loopback", "seccomp", "landlock-room", "memory", "forks", "tmp-bytes", "secret", "container"])' <<<"$output"
}

@test "the machine is as it was: no mount, file, process or cgroup is left" {
  requires root namespaces
  local before after
  before=$(cut -d' ' -f5- /proc/self/mountinfo; ls -d /tmp/fabric-doctor-* 2>/dev/null; find /sys/fs/cgroup -name 'fabric-doctor-*')
  fabric doctor >/dev/null
  after=$(cut -d' ' -f5- /proc/self/mountinfo; ls -d /tmp/fabric-doctor-* 2>/dev/null; find /sys/fs/cgroup -name 'fabric-doctor-*')
  expect_equal "$after" "$before"
}

@test "what is not tried when nobody asks for it" {
  run --separate-stderr fabric doctor --json=memory
  expect_match "$output" '^\{"memory":(true|false)\}$'
}

@test "what does not succeed outside either is no proof, and is said to be none" {
  requires root namespaces setpriv
  run --separate-stderr as_user "$FABRIC" doctor --json=proofs,lacking
  jq -e '.proofs[] | select(.name == "write-system") | .verdict == "unproven" and (.detail | contains("outside too"))' <<<"$output"
  jq -e '.proofs[] | select(.name == "read-file") | .verdict == "holds"' <<<"$output"
  jq -e '[.proofs[] | select(.verdict == "broken")] == []' <<<"$output"
}

@test "without cgroups that may be used: 9, and the command that mends it" {
  requires root namespaces setpriv
  run --separate-stderr as_user "$FABRIC" doctor
  expect_status 9
  expect_match "$stderr" 'Delegate=yes'
}

in_another_namespace() { [ "$(readlink "/proc/$1/ns/user")" != "$(readlink /proc/self/ns/user)" ]; }

# As an ordinary user in a user namespace whose limit of further ones is 0. The exec after the id map
# is there makes its root what it is.
without_namespaces() {
  local fifo="$BATS_TEST_TMPDIR/mapped" pid
  mkfifo "$fifo" 2>/dev/null || true
  # shellcheck disable=SC2016
  unshare --user sh -c 'read -r _ <"$0"; exec sh -c "echo 0 >/proc/sys/user/max_user_namespaces &&
    exec setpriv --reuid 1001 --regid 1001 --clear-groups \"\$@\"" sh "$@"' "$fifo" "$@" 3>&- &
  pid=$!
  wait_until 10 in_another_namespace "$pid"
  echo '0 0 65536' >"/proc/$pid/uid_map"
  echo '0 0 65536' >"/proc/$pid/gid_map"
  echo >"$fifo"
  wait "$pid"
}

@test "user namespaces that may not be made are recognised, with what to type, and refused with 9" {
  requires root namespaces setpriv unshare
  without_namespaces true
  run --separate-stderr without_namespaces "$FABRIC" doctor
  expect_status 9
  expect_match "$stderr" 'max_user_namespaces'
  cd /tmp
  run --separate-stderr without_namespaces "$FABRIC" sandbox run --degrade --work none -- true
  expect_status 9
  expect_match "$stderr" 'sysctl user.max_user_namespaces'
}
