load helper

@test "logs keeps standard output and standard error apart" {
  fabric spawn a -- sh -c 'echo out; echo err >&2'
  fabric schedule a --id t --wait >/dev/null
  run --separate-stderr fabric logs t
  expect_equal "$output" out
  expect_equal "$stderr" err
  run --separate-stderr fabric logs t --stderr
  expect_equal "$output" err
}

@test "logs AGENT shows its newest task" {
  fabric spawn a -- sh -c 'echo $FABRIC_TASK_ID'
  fabric schedule a --id t1 --wait >/dev/null
  fabric schedule a --id t2 --wait >/dev/null
  expect_equal "$(fabric logs a)" t2
}

@test "logs --follow shows output as it comes and ends with the task" {
  fabric spawn a -- sh -c 'echo first; while [ ! -e /work/go ]; do read -t 0.05 x </dev/zero; done; echo second'
  fabric schedule a --id t >/dev/null
  fabric logs t --follow >live 3>&- &
  follower=$!
  wait_until 10 grep -q first live
  touch .fabric/agents/a/work/go
  wait $follower
  expect_equal "$(cat live)" $'first\nsecond'
}

@test "logs --json gives one object a line" {
  fabric spawn a -- sh -c 'echo one; echo two >&2; printf three'
  fabric schedule a --id t --wait >/dev/null
  expect_equal "$(fabric logs t --json | jq -rs 'map(.stream + ":" + .text) | sort | join(" ")')" \
    'stderr:two stdout:one stdout:three'
}

@test "logs of what does not exist, or has not run, is not found" {
  fabric spawn a -- true
  refused 3 'ghost not found' fabric logs ghost
  refused 3 'has run no task yet' fabric logs a
}
