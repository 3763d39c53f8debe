# fabric sandbox run: what the work directory may hold, and what is refused with its reason.
load helper

outside() {
  mkdir -p "$BATS_TEST_TMPDIR/o"
  cd "$BATS_TEST_TMPDIR/o" || return 1
}

box() { timeout 60 "$FABRIC" sandbox run "$@"; }

fill='i=0; while [ $i -lt 3000 ]; do head -c 1000000 /dev/zero >f$i || exit 3; i=$((i + 1)); done'

@test "a command that fills the work directory is killed, and it is said why" {
  requires root namespaces
  outside
  run -137 --separate-stderr box --disk 20M -- sh -c "$fill"
  expect_match "$stderr" 'killed: the work directory held .* more than its limit of 20.0 MiB \(--disk\)'
  rm -f f*
  # Without the limit the same goes on.
  run -0 box -- sh -c 'i=0; while [ $i -lt 40 ]; do head -c 1000000 /dev/zero >f$i || exit 3; i=$((i + 1)); done'
  rm -f f*
  run -0 box --disk 20M -- sh -c 'head -c 1000000 /dev/zero >f'
}

@test "files that have no name any more count" {
  requires root namespaces python3
  outside
  run -137 --separate-stderr box --disk 20M -- python3 -c '
import os
file = open("x", "wb")
os.remove("x")
for _ in range(3000): file.write(bytes(1000000))'
  expect_match "$stderr" '--disk'
}

@test "a directory that holds more already is refused before the command begins" {
  requires root namespaces
  outside
  head -c 3000000 /dev/zero >f
  run -125 --separate-stderr box --disk 2M -- touch ran
  expect_match "$stderr" 'held 2.9 MiB, more than its limit'
  [ ! -e ran ]
}

@test "an empty work directory in memory is that small: writing beyond it fails" {
  requires root namespaces
  outside
  run --separate-stderr box --work none --disk 2M -- sh -c 'head -c 5000000 /dev/zero >f; stat -c %s f'
  expect_equal "$output" 2097152
  expect_match "$stderr" 'No space left'
}

@test "an ordinary user's command is held to it too" {
  requires root namespaces setpriv
  dir=$(mktemp -d /tmp/fabric-user-XXXXXX)
  cp -r "$(dirname "$(dirname "$FABRIC")")" "$dir/cmd"
  find "$dir/cmd" -name '*.[oa]' -delete
  mkdir "$dir/w"
  chmod -R a+rX "$dir"
  chown 1001:1001 "$dir/w"
  cd "$dir/w"
  run -137 --separate-stderr timeout 60 setpriv --reuid 1001 --regid 1001 --clear-groups --inh-caps=-all \
    "$dir/cmd/fabric/fabric" sandbox run --memory none --cpu none --pids none --disk 20M -- sh -c "$fill"
  cd "$WORKSPACE"
  rm -rf "$dir"
  expect_match "$stderr" 'more than its limit of 20.0 MiB \(--disk\)'
}

@test "what a single command cannot have is refused with 9 and the reason" {
  requires root namespaces
  outside
  run -9 --separate-stderr box --output-rate 1M -- touch ran
  expect_match "$stderr" 'its output goes where ours does'
  expect_match "$stderr" 'fabric spawn'
  # A weight is refused where the disk's scheduler does not heed it, and else in force.
  run --separate-stderr box --io-weight 200 -- touch ran
  [ "$status" -eq 0 ] || { expect_status 9 && expect_match "$stderr" 'io weight: ' && [ ! -e ran ]; }
}
