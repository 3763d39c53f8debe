load helper

@test "init makes a workspace with commented defaults, private state and a git-ignore" {
  mkdir "$BATS_TEST_TMPDIR/new"
  cd "$BATS_TEST_TMPDIR/new"
  run --separate-stderr fabric init
  expect_status 0
  expect_match "$stderr" 'next: fabric spawn'
  [ -f fabric.toml ] && [ -d policies ] && [ -d agents ]
  grep -q '^# *\[agent\]\|^#' fabric.toml
  expect_equal "$(stat -c %a .fabric)" 700
  requires git
  git init -q . && git add . && [ -z "$(git ls-files .fabric | grep -v gitignore)" ]
  fabric config check
}

@test "init makes the directory it is told" {
  fabric init "$BATS_TEST_TMPDIR/elsewhere"
  [ -f "$BATS_TEST_TMPDIR/elsewhere/fabric.toml" ]
}

@test "init of a workspace is refused and changes nothing" {
  echo '# mine' >>fabric.toml
  before=$(cat fabric.toml)
  refused 2 'is a workspace already' fabric init
  expect_equal "$(cat fabric.toml)" "$before"
}

@test "init --json names the workspace" {
  expect_equal "$(fabric init "$BATS_TEST_TMPDIR/j" --json 2>/dev/null | jq -r .workspace)" \
    "$(cd "$BATS_TEST_TMPDIR" && pwd -P)/j"
}

@test "a workspace is found from a directory inside it; outside there is none" {
  mkdir -p agents/deep/er
  (cd agents/deep/er && fabric status)
  cd "$BATS_TEST_TMPDIR"
  refused 3 '' fabric status
  expect_match "$stderr" 'fabric init'
}
