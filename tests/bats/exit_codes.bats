# One test for each exit code that can occur, as the table in fabric(1) has them.
load helper

@test "0: done" { fabric status; }

@test "1: tried and failed" {
  fabric spawn a -- true
  refused 1 'already exists' fabric spawn a -- true
}

@test "2: wrong arguments, or an invalid configuration" {
  refused 2 '' fabric status --nonsense
  echo 'nonsense = 1' >fabric.toml
  refused 2 '' fabric config show
}

@test "3: not found, or not running" {
  refused 3 '' fabric status ghost
  refused 3 '' fabric down
}

@test "4: denied" {
  cp -r "$WORKSPACE" "$BATS_TEST_TMPDIR/cloned"
  refused 4 'not trusted' fabric -C "$BATS_TEST_TMPDIR/cloned" status
}

@test "8: a deadline passed" {
  fabric spawn a -- sleep 60
  fabric schedule a --id t >/dev/null
  refused 8 '' fabric wait t --timeout 100ms
}

@test "9: not available on this machine" {
  # Without its helper no sandbox can be built.
  cp "$FABRIC" "$BATS_TEST_TMPDIR/fabric-alone"
  refused 9 'fabric-init' "$BATS_TEST_TMPDIR/fabric-alone" doctor
}

@test "125, 130 and the task's own: run" {
  refused 125 '' fabric run ghost
  fabric spawn a -- sh -c 'exit 42'
  run fabric run a
  expect_status 42
}

@test "every code in the manual is one of ours, and the other way round" {
  expect_equal "$(fabric __man | sed -n '/EXIT STATUS/,/EXAMPLES/s/^\.It Sy "\([0-9]*\)"$/\1/p' | tr '\n' ' ')" \
    '0 1 2 3 4 5 6 7 8 9 10 125 130 '
}
