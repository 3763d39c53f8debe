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
