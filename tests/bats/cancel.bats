load helper

# behaviour: a cancelled task is never handed out
@test "a pending task that is cancelled never runs" {
  fabric spawn a -- sh -c 'echo "$FABRIC_TASK_ID" >>/work/ran'
  fabric down
  fabric schedule a --id t1 2>/dev/null
  fabric schedule a --id t2 2>/dev/null
  run --separate-stderr fabric cancel t1
  expect_status 0
  expect_equal "$(field_of t1 state)" cancelled
  fabric up --detach
  fabric wait t2 --timeout 10s
  expect_equal "$(cat .fabric/agents/a/work/ran)" t2
}

# behaviour: cancelling a running task ends its whole process tree
@test "a running task that is cancelled ends with all its processes" {
  fabric spawn a -- sh -c 'sleep 1000 & setsid sleep 1000 & echo started; wait'
  fabric schedule a --id t >/dev/null
  wait_until 10 sh -c "'$FABRIC' logs t | grep -q started"
  fabric cancel t --json | jq -e '.was == "running"'
  wait_for_state t cancelled
  fabric status a --json | jq -e '.tasks.running == 0'
  requires cgroups
  wait_until 5 sh -c "'$FABRIC' status a --json | jq -e '.pids <= 1'"
}

@test "a task that ignores the stop signal is killed" {
  mkdir -p agents/a
  printf 'command = ["sh", "-c", "trap \\"\\" TERM; echo started; while :; do sleep 1; done"]\ngrace = "200ms"\n' >agents/a/agent.toml
  fabric spawn a
  fabric schedule a --id t >/dev/null
  wait_until 10 sh -c "'$FABRIC' logs t | grep -q started"
  fabric cancel t
  wait_for_state t cancelled 5
}

@test "tasks that wait for it are cancelled too" {
  fabric spawn a -- sleep 60
  fabric down
  printf '{"agent":"a","id":"t1","payload":1}\n{"agent":"a","id":"t2","payload":1,"depends_on":["t1"]}\n' |
    fabric schedule --batch - >/dev/null 2>&1
  fabric cancel t1 --dry-run --json | jq -e '.also_cancelled == ["t2"]'
  expect_equal "$(field_of t2 state)" pending
  fabric cancel t1 --json | jq -e '.also_cancelled == ["t2"]'
  expect_equal "$(field_of t2 state)" cancelled
  expect_equal "$(field_of t2 reason)" dependency
}

@test "a task that has ended cannot be cancelled and stays what it is" {
  fabric spawn a -- true
  fabric schedule a --id t --wait >/dev/null
  refused 1 'completed' fabric cancel t
  expect_equal "$(field_of t state)" completed
}

# behaviour: an unknown id is refused
@test "cancelling an unknown task is refused" {
  refused 3 'task ghost not found' fabric cancel ghost
}
