load helper

@test "run shows what the task prints and gives its exit code" {
  fabric spawn a -- sh -c 'echo out; echo err >&2; exit 7'
  run --separate-stderr fabric run a
  expect_status 7
  expect_equal "$output" out
  expect_equal "$stderr" err
}

@test "run gives 128+n for a task that signal n ended" {
  fabric spawn a -- sh -c 'kill -9 $$'
  run --separate-stderr fabric run a
  expect_status 137
  expect_match "$stderr" SIGKILL
}

@test "run gives 8 for a task that took too long" {
  fabric spawn a -- sleep 60
  run --separate-stderr fabric run a --timeout 100ms
  expect_status 8
  expect_match "$stderr" 'timed out'
}

@test "run gives 125 for what fabric itself refuses" {
  refused 125 'agent ghost not found' fabric run ghost
  refused 125 'unknown option' fabric run ghost --nonsense
  refused 125 'invalid JSON' fabric run ghost --payload nonsense
}

@test "output comes as it is written, not at the end" {
  fabric spawn a -- sh -c 'echo first; while [ ! -e /work/go ]; do read -t 0.05 x </dev/zero; done; echo second'
  fabric run a >live 3>&- &
  runner=$!
  wait_until 10 grep -q first live
  ! grep -q second live
  touch .fabric/agents/a/work/go
  wait $runner
  expect_equal "$(cat live)" $'first\nsecond'
}

@test "Ctrl-C cancels the task and exits 130" {
  fabric spawn a -- sleep 60
  bash -c 'trap - INT; exec "$0" run a --id t' "$FABRIC" 2>err 3>&- &
  runner=$!
  wait_for_state t running
  kill -INT $runner
  wait $runner || code=$?
  expect_equal "${code:-0}" 130
  expect_equal "$(field_of t state)" cancelled
}

@test "large and binary output is complete" {
  fabric spawn a -- sh -c 'head -c 300000 /dev/urandom | tee /work/copy'
  fabric run a >got
  cmp got .fabric/agents/a/work/copy
}

@test "run --json answers with the task when it has ended" {
  fabric spawn a -- sh -c 'echo hi; exit 2'
  run --separate-stderr fabric run a --json
  expect_status 2
  expect_equal "$(jq -c '[.state, .exit_code]' <<<"$output")" '["failed",2]'
}

@test "run starts a supervisor when none runs" {
  fabric spawn a -- echo hi
  fabric down
  run --separate-stderr fabric run a
  expect_status 0
  expect_equal "$output" hi
  expect_match "$stderr" 'started a supervisor'
}
