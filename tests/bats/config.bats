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

@test "config show has the scheduler, its tables merged over the files" {
  printf '[scheduler]\nslots = { gpu = 2 }\nshares = { alice = 3 }\n' >"$BATS_TEST_TMPDIR/tenant.toml"
  printf '[scheduler]\nslots = { gpu = 1, disk = 4 }\nweights.low = 2\n[retention]\nage = "7d"\n' >fabric.toml
  run --separate-stderr fabric config show
  expect_status 0
  for line in 'scheduler.slots.gpu = 1' 'scheduler.slots.disk = 4' 'scheduler.shares.alice = 3' \
    'scheduler.weights.low = 2' 'scheduler.weights.high = 16' 'scheduler.max_concurrent_tasks = "none"' \
    'retention.age = "7d"' 'retention.log_bytes = "10G"'; do
    grep -Fx "$line" <<<"$output"
  done
  fabric config show --json | jq -e '.[] | select(.key == "scheduler.shares.alice") | .origin | endswith("tenant.toml:3:12")'
  fabric config show --json | jq -e '.[] | select(.key == "scheduler.slots.gpu") | .origin | endswith("fabric.toml:2:11")'
  printf '[scheduler]\nshares = { alice = 0 }\n' >fabric.toml
  run --separate-stderr fabric config check
  expect_status 2
  expect_match "$stderr" 'fabric\.toml:2:20: scheduler.shares: expected an integer from 1 to 1000'
}

@test "spawn --pool and --max-queue-depth are checked before anything starts" {
  refused 2 'pool' fabric spawn a --pool ../x -- true
  refused 2 '--max-queue-depth' fabric spawn a --max-queue-depth 0 -- true
  refused 2 '--max-queue-depth' fabric spawn a --max-queue-depth many -- true
  fabric spawn a --pool web --max-queue-depth 5 --dry-run -- true
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
