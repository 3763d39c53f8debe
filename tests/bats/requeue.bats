load helper

@test "a pending task gets another priority, and runs earlier" {
  fabric spawn a -- sh -c 'echo "$FABRIC_TASK_ID" >>/work/order'
  fabric down
  fabric schedule a --id t1 2>/dev/null
  fabric schedule a --id t2 2>/dev/null
  run --separate-stderr fabric requeue t2 --priority high
  expect_status 0
  expect_equal "$output" 'requeued t2'
  expect_equal "$(field_of t2 priority)" high
  fabric up --detach
  fabric wait t1 t2 --timeout 10s
  expect_equal "$(tr '\n' ' ' <.fabric/agents/a/work/order)" 't2 t1 '
}

@test "it moves to another agent, with another payload" {
  fabric spawn a -- sleep 60
  fabric spawn b -- cat
  fabric down
  fabric schedule a --id t --payload '{"n":1}' 2>/dev/null
  fabric requeue t --agent b --payload '{"n": 2.50}' --json | jq -e '.id == "t" and .agent == "b" and .state == "pending" and .priority == "normal"'
  fabric up --detach
  fabric wait t --timeout 10s
  expect_equal "$(fabric result t)" '{"n": 2.50}'
}

@test "with a supervisor as without" {
  fabric spawn a -- sleep 60
  fabric schedule a --id running >/dev/null
  wait_for_state running running
  fabric schedule a --id t >/dev/null
  fabric requeue t --priority critical --payload @- 2>/dev/null && return 1
  echo '[1]' | fabric requeue t --priority critical --payload -
  fabric status t --json | jq -e '.priority == "critical" and .payload == [1]'
  refused 1 'running is running; only pending tasks' fabric requeue running --priority low
  fabric cancel running t
}

@test "several: those that can be are changed" {
  fabric spawn a -- true
  fabric down
  fabric schedule a --id t1 2>/dev/null
  fabric schedule a --id t2 2>/dev/null
  run --separate-stderr fabric requeue t1 ghost t2 --priority low
  expect_status 3
  expect_equal "$output" $'requeued t1\nrequeued t2'
  expect_match "$stderr" 'ghost not found'
}

@test "--dry-run checks and changes nothing" {
  fabric spawn a -- true
  fabric down
  fabric schedule a --id t 2>/dev/null
  expect_equal "$(fabric requeue t --priority high --dry-run)" 'would requeue t'
  expect_equal "$(field_of t priority)" normal
  refused 3 'agent ghost not found' fabric requeue t --agent ghost --dry-run
}

@test "nothing to change, unknown agents and nonsense are refused" {
  fabric spawn a -- true
  fabric schedule a --id done --wait >/dev/null
  fabric down
  fabric schedule a --id t 2>/dev/null
  refused 2 'nothing to change' fabric requeue t
  refused 2 'ID is missing' fabric requeue --priority high
  refused 3 'agent ghost not found' fabric requeue t --agent ghost
  refused 2 'invalid JSON' fabric requeue t --payload nonsense
  refused 1 'done is completed' fabric requeue done --priority low
  expect_equal "$(fabric status t --json | jq -c '[.agent, .payload]')" '["a",{}]'
}
