load helper

@test "status of an empty workspace, for people and in JSON" {
  run --separate-stderr fabric status
  expect_status 0
  expect_match "$output" 'supervisor +stopped'
  expect_match "$output" 'queue +empty'
  expect_match "$stderr" 'fabric spawn'
  expect_equal "$(fabric status --json | jq -c '[.supervisor.state, .supervisor.pid, .agents, .queue.pending]')" \
    '["stopped",null,[],0]'
}

@test "status of a workspace shows the supervisor, the agents and the queue" {
  fabric spawn a --model m -- true
  fabric schedule a --wait >/dev/null
  run --separate-stderr fabric status
  expect_match "$output" 'supervisor +running since .* \(pid [0-9]+\)'
  expect_match "$output" 'queue +1 completed'
  expect_match "$output" 'a +ready'
  fabric status --json | jq -e '.supervisor | .state == "running" and .pid > 1 and (.since | test("Z$")) and (.version | length > 0)'
  fabric status --json | jq -e '.agents[0].id == "a" and .agents[0].model == "m" and .queue.completed == 1'
}

# behaviour: a scheduled task shows its id, agent, state and priority
@test "status of a task" {
  fabric spawn a1 --model m -- sleep 60
  fabric schedule a1 --id t0 >/dev/null
  fabric schedule a1 --id t1 --type x --payload '{}' >/dev/null
  fabric status t1 --json | jq -e '.id == "t1" and .agent == "a1" and .type == "x" and .state == "pending" and .priority == "normal"'
  run --separate-stderr fabric status t1
  expect_match "$output" 'task +t1'
  expect_match "$output" 'state +pending'
}

@test "status of an agent" {
  fabric spawn a --model m --tool search --label team=web -- sleep 1
  run --separate-stderr fabric status a
  expect_match "$output" 'agent +a'
  expect_match "$output" 'model +m'
  expect_match "$output" 'labels +team=web'
  fabric status a --json | jq -e '.state == "ready" and .tools == ["search"] and .labels.team == "web" and .pid > 1'
}

@test "an agent with a running task is busy" {
  fabric spawn a -- sleep 60
  fabric schedule a --id t >/dev/null
  wait_for_state t running
  expect_equal "$(field_of a state)" busy
}

@test "status of an unknown id is not found" {
  refused 3 'ghost not found' fabric status ghost
}

@test "status of a pending task says what it waits for" {
  fabric spawn a -- true
  fabric down
  fabric schedule a --id t1 --exclusive k 2>/dev/null
  fabric schedule a --id t2 --exclusive k 2>/dev/null
  fabric schedule a --id t3 --delay 2m 2>/dev/null
  fabric schedule a --id t4 --after t1,t2 2>/dev/null
  fabric schedule a --id t5 --after t1,t2 --after-policy any 2>/dev/null
  expect_match "$(fabric status t2)" 'state +pending: exclusive key k is held by t1'
  expect_match "$(fabric status t3)" 'state +pending: not before [0-9:]+ \(in (1m 5[0-9]s|2m 0s)\)'
  expect_match "$(fabric status t4)" 'state +pending: waits for t1, t2'
  expect_match "$(fabric status t5)" 'state +pending: waits for one of t1, t2'
}

@test "status of a task shows its earlier attempts" {
  fabric spawn a -- sh -c 'exit 3'
  fabric schedule a --id t --retries 1 --wait >/dev/null || true
  run --separate-stderr fabric status t
  expect_match "$output" 'state +failed: exit code 3'
  expect_match "$output" 'retries +1 of 1 used'
  expect_match "$output" 'attempt 1 +failed: exit code 3 \('
  fabric status t --json | jq -e '.attempts | length >= 1 and .[0].number == 1 and .[0].agent == "a" and
    .[0].state == "failed" and .[0].exit_code == 3 and .[0].late == false'
  expect_equal "$(fabric status t --json=attempts | jq -r 'keys[]')" attempts
  expect_equal "$(fabric status t --json=id)" '{"id":"t"}'
  expect_equal "$(fabric tasks --json | jq '.[0] | has("attempts")')" false
}

@test "status counts what is ready by priority, and what is held back" {
  fabric spawn a -- true
  fabric down
  fabric schedule a --id t1 --priority high 2>/dev/null
  fabric schedule a --id t2 2>/dev/null
  fabric schedule a --id t3 2>/dev/null
  fabric schedule a --id t4 --delay 1h 2>/dev/null
  expect_match "$(fabric status)" 'ready +1 high, 2 normal; 1 waits'
  fabric status --json | jq -e '.ready == {"critical": 0, "high": 1, "normal": 2, "low": 0} and
    .pauses == [] and .pressure == null and .recurring == 0 and .dead == 0'
}
