load helper

@test "config show gives every value; --origin says where from" {
  printf '[agent]\ngrace = "7s"\n' >fabric.toml
  expect_match "$(fabric config show)" 'agent.grace = "7s"'
  fabric config show --origin --json | jq -e '.[] | select(.key == "agent.grace") | .value == "\"7s\"" and (.origin | test("fabric.toml:[0-9]+"))'
  fabric config show --json | jq -e '.[] | select(.key == "supervisor.stop_timeout") | .origin == "default"'
}

@test "config show AGENT adds its definition, which wins over the workspace" {
  printf '[agent]\nmodel = "m1"\n' >fabric.toml
  mkdir -p agents/a
  printf 'command = ["true"]\nmodel = "m2"\n' >agents/a/agent.toml
  expect_match "$(fabric config show a)" '"m2"'
  fabric spawn a
  expect_equal "$(field_of a model)" m2
}

@test "config check is content with a new workspace" {
  run --separate-stderr fabric config check
  expect_status 0
  expect_equal "$output" 'no problems'
}

@test "config check names every mistake with file, line, column and the nearest name" {
  printf '[agent]\ngrace = 7\nmodell = "x"\n' >fabric.toml
  run --separate-stderr fabric config check
  expect_status 2
  expect_match "$stderr" 'fabric\.toml:[0-9]+:[0-9]+'
  expect_match "$stderr" 'grace'
  expect_match "$stderr" 'modell'
  expect_match "$stderr" 'did you mean.*model'
  fabric config check --json | jq -e 'length == 2'
}

@test "a wrong setting keeps a command from starting anything" {
  echo 'nonsense = 1' >fabric.toml
  refused 2 'nonsense' fabric spawn a -- true
  expect_equal "$(fabric status --json | jq -r .supervisor.state)" stopped
}

@test "tenant.toml above the workspace is a layer below it" {
  printf 'name = "acme"\n' >"$BATS_TEST_TMPDIR/tenant.toml"
  expect_match "$(fabric config show --origin)" 'tenant.toml:1'
}
