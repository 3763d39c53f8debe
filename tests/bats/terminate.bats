load helper

# behaviour: terminate removes the agent; an unknown one is refused
@test "terminate ends the agent and removes it from the list" {
  fabric spawn a1 -- true
  run --separate-stderr fabric terminate a1
  expect_status 0
  expect_match "$output" 'terminated a1'
  expect_equal "$(fabric agents --json)" "[]"
  refused 3 'agent a1 not found' fabric terminate a1
}

@test "its running task is stopped and its pending ones are cancelled" {
  fabric spawn a -- sleep 60
  fabric schedule a --id t1 >/dev/null
  fabric schedule a --id t2 >/dev/null
  wait_for_state t1 running
  fabric terminate a --json | jq -e '.cancelled == 1 and .stopped == 1'
  expect_equal "$(field_of t1 state)" cancelled
  expect_equal "$(field_of t2 state)" cancelled
  expect_equal "$(field_of t2 reason)" agent_gone
}

@test "its finished tasks and their results stay" {
  fabric spawn a -- echo kept
  fabric schedule a --id t --wait >/dev/null
  fabric terminate a
  expect_equal "$(fabric result t)" kept
}

@test "the id can be used again" {
  fabric spawn a -- true
  fabric terminate a
  fabric spawn a -- echo second
  expect_equal "$(fabric run a)" second
}

@test "terminate --dry-run says what would end and ends nothing" {
  fabric spawn a -- sleep 60
  fabric schedule a --id t1 >/dev/null
  wait_for_state t1 running
  fabric schedule a --id t2 >/dev/null
  fabric terminate a --dry-run --json | jq -e '.cancelled == 1 and .stopped == 1'
  expect_equal "$(field_of t1 state)" running
}
