load helper

@test "a workspace that was not made here is refused until it is trusted" {
  cp -r "$WORKSPACE" "$BATS_TEST_TMPDIR/cloned"
  cd "$BATS_TEST_TMPDIR/cloned"
  refused 4 'not trusted' fabric status
  refused 4 'not trusted' fabric spawn a -- true
  fabric trust
  fabric status
}

@test "a workspace that was replaced has to be trusted again" {
  cp -r "$WORKSPACE" "$BATS_TEST_TMPDIR/other"
  mv "$WORKSPACE" "$BATS_TEST_TMPDIR/old"
  mv "$BATS_TEST_TMPDIR/other" "$WORKSPACE"
  cd "$WORKSPACE"
  refused 4 'not trusted' fabric status
  fabric trust "$WORKSPACE"
  fabric status
}

@test "trust of what is no workspace is refused" {
  mkdir "$BATS_TEST_TMPDIR/empty"
  run ! fabric trust "$BATS_TEST_TMPDIR/empty"
}
