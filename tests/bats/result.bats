load helper

@test "result prints what the task printed, byte for byte" {
  fabric spawn a -- printf 'a\0b\nno newline'
  fabric schedule a --id t --wait >/dev/null
  expect_equal "$(fabric result t | od -c)" "$(printf 'a\0b\nno newline' | od -c)"
}

@test "a result larger than the head in the store is whole" {
  fabric spawn a -- sh -c 'seq 100000'
  fabric schedule a --id t --wait >/dev/null
  expect_equal "$(fabric result t | md5sum)" "$(seq 100000 | md5sum)"
  expect_equal "$(field_of t result_bytes)" "$(seq 100000 | wc -c)"
}

@test "output beyond the agent's limit is counted, not kept, and said" {
  mkdir -p agents/a
  printf 'command = ["seq", "100000"]\nmax_output = "1000"\n' >agents/a/agent.toml
  fabric spawn a
  fabric schedule a --id t --wait >/dev/null
  run --separate-stderr fabric result t
  expect_status 0
  expect_match "$stderr" 'were not kept'
  [ "$(fabric result t 2>/dev/null | wc -c)" -le 1000 ]
}

@test "the result of a failed task is there, with a word about it" {
  fabric spawn a -- sh -c 'echo partial; exit 3'
  fabric schedule a --id t --wait >/dev/null || true
  run --separate-stderr fabric result t
  expect_status 0
  expect_equal "$output" partial
  expect_match "$stderr" 'failed: exit code 3'
}

@test "a task that has not ended has no result yet" {
  fabric spawn a -- sleep 60
  fabric schedule a --id t >/dev/null
  refused 3 'no result yet' fabric result t
  expect_match "$stderr" 'fabric wait t'
}

@test "result --json" {
  fabric spawn a -- echo hi
  fabric schedule a --id t --wait >/dev/null
  fabric result t --json | jq -e '.id == "t" and .state == "completed" and .exit_code == 0 and .result == "hi\n" and .result_bytes == 3'
}
