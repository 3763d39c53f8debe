# SPDX-License-Identifier: Apache-2.0
# fabric gc and retention: what is kept, and what goes.
load helper

keep() { printf '[retention]\n%s\n[scheduler]\nkeep_events = 1000000\n' "$1" >fabric.toml; }
log_files() { find .fabric/logs -name '*.out' | wc -l; }

@test "the oldest tasks beyond the number go, with their results and logs" {
  fabric spawn a -- echo hello
  fabric schedule a --array 1-8 --group g --wait >/dev/null
  fabric down
  expect_equal "$(log_files)" 8
  keep 'tasks = 3'
  run --separate-stderr fabric gc --dry-run
  expect_equal "$output" "would remove 5 tasks, 0 events and 0 log files (0 B)"
  expect_equal "$(fabric tasks --json | jq length)" 8
  fabric gc --json | jq -e '.tasks == 5 and .log_files == 5'
  expect_equal "$(fabric tasks --json | jq -r '.[].id' | sort | tr '\n' ' ')" "g.6 g.7 g.8 "
  expect_equal "$(log_files)" 3
  fabric store check
  run --separate-stderr fabric status g.1
  expect_status 3
}

@test "a result that a waiting task will read stays, and it runs" {
  fabric spawn a -- cat
  fabric schedule a --id first --payload '{"n": 5}' --wait
  fabric schedule a --id second --after first --payload '{"got": "{tasks.first.result.n}"}' --delay 1h
  keep 'age = "1ms"'
  fabric gc
  expect_equal "$(field_of first state)" completed
  fabric cancel second >/dev/null
  fabric gc
  run --separate-stderr fabric status first
  expect_status 3
}

@test "old events go, and who follows from before them is told" {
  fabric spawn anna --kind external
  fabric schedule anna --array 1-30 >/dev/null
  printf '[scheduler]\nkeep_events = 10\n' >fabric.toml
  fabric gc --json | jq -e '.events > 15'
  expect_equal "$(fabric events --since 0 --json 2>/dev/null | jq -s length)" 10
  run --separate-stderr fabric events --since 1
  expect_match "$stderr" 'kept no longer|no longer kept|removed'
}

@test "logs go by size, those of the oldest first" {
  fabric spawn a -- head -c 100000 /dev/zero
  fabric schedule a --array 1-5 --group g --wait >/dev/null
  fabric down
  keep 'log_bytes = "250KiB"'
  fabric gc --json | jq -e '.log_files == 3 and .tasks == 0'
  expect_equal "$(log_files)" 2
  expect_equal "$(fabric tasks --json | jq length)" 5
}
