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

@test "several ids: those that can be are cancelled, and the first error gives the exit code" {
  fabric spawn a -- true
  fabric down
  fabric schedule a --id t1 2>/dev/null
  fabric schedule a --id t2 2>/dev/null
  run --separate-stderr fabric cancel t1 ghost t2
  expect_status 3
  expect_equal "$output" $'cancelled t1\ncancelled t2'
  expect_match "$stderr" 'task ghost not found'
  expect_equal "$(fabric tasks --state cancelled --json | jq length)" 2
}

@test "by filter: what matches and has not ended, with a count; --dry-run only shows it" {
  fabric spawn a -- true
  fabric spawn b -- true
  fabric schedule a --id old --type x --wait >/dev/null
  fabric down
  fabric schedule a --id t1 --type x --metadata team=web 2>/dev/null
  fabric schedule a --id t2 --type y --metadata team=web --metadata env=prod 2>/dev/null
  fabric schedule b --id t3 --type x --group g 2>/dev/null
  run --separate-stderr fabric cancel --type x --dry-run
  expect_status 0
  expect_equal "$(sort <<<"$output")" $'would cancel t1\nwould cancel t3'
  expect_match "$stderr" '2 tasks would be cancelled'
  expect_equal "$(fabric tasks --state pending --json | jq length)" 3
  fabric cancel --metadata team=web --metadata env=prod --json 2>/dev/null | jq -e '.id == "t2" and .was == "pending"'
  expect_equal "$(field_of t1 state)" pending
  run --separate-stderr fabric cancel --agent a --state pending
  expect_equal "$output" 'cancelled t1'
  expect_match "$stderr" '1 task cancelled'
  fabric cancel --group g 2>/dev/null
  expect_equal "$(field_of t3 state)" cancelled
  expect_equal "$(field_of old state)" completed
  run --separate-stderr fabric cancel --type x
  expect_status 0
  expect_match "$stderr" '0 tasks cancelled'
}

@test "cancel --state running stops what runs" {
  fabric spawn a -- sleep 60
  fabric schedule a --id t >/dev/null
  fabric schedule a --id next >/dev/null
  wait_for_state t running
  run --separate-stderr fabric cancel --agent a --state running
  expect_match "$output" 'cancelling t: its processes'
  expect_match "$stderr" '1 of them running'
  wait_for_state t cancelled
  fabric cancel --agent a 2>/dev/null
}

@test "nothing, or ids and a filter, is refused" {
  refused 2 'ID is missing' fabric cancel
  refused 2 'exclude each other' fabric cancel t1 --agent a
  refused 2 'none of pending, running' fabric cancel --state completed
  refused 2 '--agent is empty' fabric cancel --agent ''
}

@test "a task of which another waits for any end, or for any of several, is not said to go with it" {
  fabric spawn a -- true
  fabric down
  fabric schedule a --id t1 2>/dev/null
  fabric schedule a --id t2 --after t1 --after-policy finish 2>/dev/null
  fabric cancel t1 --dry-run --json | jq -e '.also_cancelled == []'
  fabric cancel t1 --json | jq -e '.also_cancelled == []'
  expect_equal "$(field_of t2 state)" pending
}

@test "by filter, more than a page of them" {
  fabric spawn a --kind external --max-queue-depth 3000
  for ((i = 0; i < 2500; i++)); do printf '{"agent":"a","payload":%d}\n' "$i"; done |
    fabric schedule --batch - >/dev/null 2>&1
  run --separate-stderr fabric cancel --agent a --dry-run
  expect_match "$stderr" '2,?500 tasks would be cancelled'
  run --separate-stderr fabric cancel --agent a
  expect_status 0
  expect_match "$stderr" '2,?500 tasks cancelled'
  expect_equal "$(fabric status --json | jq -c '[.queue.pending, .queue.cancelled]')" '[0,2500]'
}
