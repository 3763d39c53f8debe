load helper

claim_t1() {
  fabric spawn anna --kind external >/dev/null 2>&1
  fabric schedule anna --id t1 "$@" >/dev/null 2>&1
  FABRIC_LEASE=$(fabric claim anna --json=lease | jq -r .lease)
  export FABRIC_LEASE
}

@test "the result is kept as it is: from the command line, a file or standard input" {
  claim_t1
  run --separate-stderr fabric complete t1 --result 'two  words, "not JSON"'
  expect_status 0
  expect_equal "$output" 't1 is completed'
  expect_equal "$(fabric result t1)" 'two  words, "not JSON"'
  printf 'line\nline\n' >file
  for way in @file -; do
    fabric schedule anna >/dev/null 2>&1
    fabric claim anna --json=id,lease >got
    id=$(jq -r .id got)
    fabric complete "$id" --lease "$(jq .lease got)" --result "$way" <file >/dev/null
    fabric result "$id" | cmp - file
  done
}

@test "a result that is empty is a result" {
  claim_t1
  fabric complete t1 --result '' --json | jq -e '. == {"id": "t1", "state": "completed"}'
}

@test "an error fails the task, with the words and the exit code" {
  claim_t1
  run --separate-stderr fabric complete t1 --error 'no access' --exit-code 7
  expect_status 0
  expect_equal "$output" 't1 is failed'
  fabric status t1 --json | jq -e '.state == "failed" and .reason == "error" and .detail == "no access" and .exit_code == 7'
  run fabric wait t1
  expect_status 7
}

@test "what is not clear is refused, and nothing is changed" {
  claim_t1
  refused 2 'exclude each other' fabric complete t1 --result a --error b
  refused 2 'how did it end' fabric complete t1
  refused 2 'needs --error' fabric complete t1 --result a --exit-code 3
  refused 2 'invalid exit code' fabric complete t1 --error a --exit-code 0
  refused 2 'invalid lease' fabric complete t1 --result a --lease x
  refused 2 'invalid lease' env FABRIC_LEASE=0 "$FABRIC" complete t1 --result a
  refused 2 'which lease' env -u FABRIC_LEASE "$FABRIC" complete t1 --result a
  head -c 70000 /dev/zero | tr '\0' x >big
  run --separate-stderr fabric complete t1 --result @big
  [ "$status" -ne 0 ]
  expect_equal "$(field_of t1 state)" running
}

# behaviour 9
@test "completing an unknown task is refused" {
  refused 3 'task ghost not found' fabric complete ghost --lease 1 --result x
}

@test "a task that nobody has claimed cannot be completed" {
  fabric spawn anna --kind external >/dev/null 2>&1
  fabric schedule anna --id t1 >/dev/null 2>&1
  refused 1 'not claimed' fabric complete t1 --lease 1 --result x
  expect_equal "$(field_of t1 state)" pending
}

@test "a task that fabric runs cannot be completed by hand" {
  fabric spawn a -- sleep 60
  fabric schedule a --id t1 >/dev/null
  wait_for_state t1 running
  refused 1 'run by fabric' fabric complete t1 --lease 1 --result x
}

@test "completing twice is refused and changes nothing" {
  claim_t1
  fabric complete t1 --result first >/dev/null
  refused 1 'too late: task t1 is completed already' fabric complete t1 --result second
  expect_equal "$(fabric result t1)" first
}

# behaviour 12: cancelled while it was claimed
cancelled_while_claimed() {
  claim_t1
  fabric cancel t1 >/dev/null
  fabric status anna --json | jq -e '.tasks.running == 0'
  expect_equal "$(field_of t1 state)" cancelled
  refused 1 'too late: task t1 is cancelled already' fabric complete t1 --result x
  expect_equal "$(field_of t1 state)" cancelled
}

@test "a claimed task that was cancelled stays cancelled when it is completed" {
  cancelled_while_claimed
}

@test "the same under a supervisor" {
  fabric up --detach 2>/dev/null
  cancelled_while_claimed
}
