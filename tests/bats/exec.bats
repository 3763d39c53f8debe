# Agents of kind exec: environment, input, command, outcome.
load helper

@test "a task has a clean environment, with fabric's own and what --env gave" {
  export LEAK=secret
  fabric spawn a --model m1 --tool t1 --tool t2 --env GIVEN=yes -- env
  output=$(fabric run a --id t --type kind1)
  for line in FABRIC_TASK_ID=t FABRIC_TASK_TYPE=kind1 FABRIC_AGENT_ID=a FABRIC_MODEL=m1 \
    FABRIC_TOOLS=t1,t2 GIVEN=yes "FABRIC_WORKSPACE=$WORKSPACE"; do
    grep -qx "$line" <<<"$output" || { echo "no $line in $output"; return 1; }
  done
  grep -q '^TRACEPARENT=00-' <<<"$output"
  grep -q '^FABRIC_CORRELATION_ID=.' <<<"$output"
  ! grep -q 'LEAK\|secret\|XDG_STATE_HOME\|BATS' <<<"$output"
}

@test "the payload is on standard input" {
  fabric spawn a -- cat
  expect_equal "$(fabric run a --payload '{"x":[1,"ä"]}')" '{"x":[1,"ä"]}'
}

@test "{payload.key} in the command is replaced, without a shell" {
  fabric spawn a -- printf '<%s>' '{payload.file}' 'n={payload.n}'
  expect_equal "$(fabric run a --payload '{"file":"; rm -rf / $(x) \"q\"","n":3}')" '<; rm -rf / $(x) "q"><n=3>'
}

@test "a payload key that is missing fails the task, and the agent goes on" {
  fabric spawn a -- echo '{payload.file}'
  run --separate-stderr fabric run a --id t
  [ "$status" -ne 0 ]
  fabric status t --json | jq -e '.state == "failed" and .reason == "not_started"'
  expect_equal "$(fabric run a --payload '{"file":"f"}')" f
}

@test "exit 0 is completed; another code is failed with it" {
  fabric spawn a -- sh -c 'exit {payload.code}'
  fabric schedule a --id zero --payload '{"code":0}' --wait >/dev/null
  fabric schedule a --id nine --payload '{"code":9}' --wait >/dev/null || true
  fabric status zero --json | jq -e '.state == "completed" and .exit_code == 0'
  fabric status nine --json | jq -e '.state == "failed" and .reason == "exit" and .exit_code == 9'
}

@test "a signal is failed with its number" {
  fabric spawn a -- sh -c 'kill -SEGV $$'
  fabric schedule a --id t --wait >/dev/null || true
  fabric status t --json | jq -e '.state == "failed" and .reason == "signal" and .signal == 11 and .exit_code == null'
}

@test "too long is timed_out, and nothing of it goes on" {
  fabric spawn a -- sh -c 'sleep 1000 & sleep 1000'
  fabric schedule a --id t --timeout 200ms --wait >/dev/null || true
  fabric status t --json | jq -e '.state == "timed_out" and .reason == "timeout"'
  requires cgroups
  wait_until 5 sh -c "'$FABRIC' status a --json | jq -e '.pids <= 1'"
}

@test "what a task leaves running ends with it" {
  fabric spawn a -- sh -c 'setsid sleep 1000 >/dev/null 2>&1 & echo done'
  expect_equal "$(fabric run a)" "done"
  requires cgroups
  wait_until 5 sh -c "'$FABRIC' status a --json | jq -e '.pids <= 1'"
}

@test "files in the work directory stay from task to task" {
  fabric spawn a -- sh -c 'cat count 2>/dev/null; echo x >>count'
  fabric run a
  expect_equal "$(fabric run a)" x
}

@test "two hundred tasks of two agents all complete" {
  fabric spawn a -- true
  fabric spawn b -- true
  for i in $(seq 100); do printf '{"agent":"a","payload":%s}\n{"agent":"b","payload":%s}\n' "$i" "$i"; done |
    fabric schedule --batch - --wait >/dev/null 2>&1
  expect_equal "$(fabric status --json | jq -c '[.queue.completed, .queue.pending, .queue.running]')" '[200,0,0]'
}
