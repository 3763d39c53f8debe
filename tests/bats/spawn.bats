load helper

@test "spawn starts the agent, and a supervisor with a word about it" {
  run --separate-stderr fabric spawn a -- true
  expect_status 0
  expect_match "$output" 'spawned a'
  expect_match "$stderr" 'started a supervisor'
  run --separate-stderr fabric spawn b -- true
  expect_equal "$stderr" ""
  expect_equal "$(fabric agents --json | jq -r '[.[].id] | join(",")')" a,b
}

# behaviour: spawning the same agent twice
@test "spawning an id again is refused: already exists" {
  fabric spawn a -- true
  refused 1 'already exists' fabric spawn a -- false
  expect_equal "$(fabric status a --json | jq -c .command)" '["true"]'
}

@test "an id whose logs would be in the place of our own is refused" {
  refused 2 'is the name of a log of fabric' fabric spawn egress.log -- true
  refused 2 'is the name of a log of fabric' fabric spawn supervisor.err -- true
}

# behaviour: ids that are paths, empty or too long
@test "an id that is no id is refused and touches nothing" {
  files() { find "$BATS_TEST_TMPDIR" -not -path '*/.fabric/*' -not -name 'separate-stderr*' | sort; }
  before=$(files)
  for id in ../x /tmp/x a/b '' "$(printf 'a%.0s' {1..300})" .hidden -dash 'a b' $'a\nb' 'ä'; do
    run --separate-stderr fabric spawn -- "$id" true
    expect_status 2
    run --separate-stderr fabric spawn "$id" -- true
    expect_status 2
    expect_match "$stderr" "invalid agent id|unknown option"
  done
  expect_equal "$(files)" "$before"
  expect_equal "$(fabric agents --json)" "[]"
}

@test "ids of 64 characters with dots, dashes and underscores are good" {
  id=$(printf 'a%.0s' {1..58}).b-C_9
  expect_equal "${#id}" 64
  fabric spawn "$id" -- true
  fabric run "$id"
}

# behaviour: the agent's command is missing
@test "a command that is not there leaves no agent" {
  refused_after_start() {
    run --separate-stderr fabric spawn a1 -- no-such-command-anywhere
    expect_status 3
    expect_match "$stderr" 'command not found'
  }
  refused_after_start
  expect_equal "$(fabric agents --json)" "[]"
  [ ! -e .fabric/agents/a1 ]
  fabric spawn a1 -- true
}

@test "a command that cannot be executed leaves no agent" {
  run ! fabric spawn a1 -- /etc/passwd
  expect_equal "$(fabric agents --json)" "[]"
}

@test "without a command there has to be an agent.toml" {
  refused 2 'command' fabric spawn a
  mkdir -p agents/a
  printf 'command = ["echo", "from the file"]\nmodel = "m1"\n' >agents/a/agent.toml
  fabric spawn a
  expect_equal "$(fabric run a)" "from the file"
  expect_equal "$(field_of a model)" m1
}

@test "options win over agent.toml" {
  mkdir -p agents/a
  printf 'command = ["false"]\nmodel = "m1"\n' >agents/a/agent.toml
  fabric spawn a --model m2 -- true
  expect_equal "$(fabric status a --json | jq -c '[.model, .command]')" '["m2",["true"]]'
}

@test "all that spawn is told is in the agent's JSON" {
  fabric spawn a --model m --tool read --tool write --isolation process --memory 64M --cpu 0.5 --pids 40 \
    --user joe --label k=v --env SECRET=hush --kind exec -- sleep 1
  fabric status a --json | jq -e '
    .model == "m" and .tools == ["read", "write"] and .isolation == "process" and
    .limits.memory_bytes == 67108864 and .limits.cpu_cores == 0.5 and .limits.pids == 40 and .user == "joe" and
    .labels == {"k": "v"} and .env == ["SECRET"] and .kind == "exec" and .command == ["sleep", "1"]'
  ! fabric status a --json | grep -q hush
  ! fabric status a | grep -q hush
}

@test "arguments reach the command as they are, brackets and all" {
  fabric spawn a -- printf '<%s>' '[1,2]' '[]' '{"t":1}' '' 'a b' '$HOME' --json
  expect_equal "$(fabric run a)" '<[1,2]><[]><{"t":1}><><a b><$HOME><--json>'
}

@test "--env NAME takes the caller's value; an unset one is refused" {
  export COLOUR=blue
  unset NOT_SET
  fabric spawn a --env COLOUR --env SHAPE=round -- sh -c 'echo $COLOUR $SHAPE'
  expect_equal "$(fabric run a)" 'blue round'
  refused 2 'NOT_SET: not set' fabric spawn b --env NOT_SET -- true
}

@test "bad limits and labels are refused before anything starts" {
  refused 2 '--memory' fabric spawn a --memory lots -- true
  refused 2 '--pids' fabric spawn a --pids 0 -- true
  refused 2 '--cpu' fabric spawn a --cpu many -- true
  refused 2 '--label' fabric spawn a --label novalue -- true
  refused 2 "is given twice" fabric spawn a --label k=1 --label k=2 -- true
  expect_equal "$(fabric status --json | jq -r .supervisor.state)" stopped
}

@test "spawn --dry-run checks and changes nothing" {
  run --separate-stderr fabric spawn a --dry-run -- true
  expect_status 0
  expect_match "$output" 'would spawn a'
  expect_equal "$(fabric agents --json)" "[]"
  expect_equal "$(fabric status --json | jq -r .supervisor.state)" stopped
}

@test "spawn --json answers with the agent" {
  fabric spawn a --json -- true | jq -e '.id == "a" and .state == "ready"'
}
