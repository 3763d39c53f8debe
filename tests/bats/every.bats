# SPDX-License-Identifier: Apache-2.0
# fabric schedule --every: tasks that come again and again.
load helper

runs() { fabric tasks --limit all --json | jq -r '.[].id' | sort; }
at_least() { [ "$(runs | wc -l)" -ge "$1" ]; }

@test "runs come once each, and end with cancel" {
  fabric spawn a -- true
  run --separate-stderr fabric schedule a --every 'every 1s' --id tick
  expect_status 0
  expect_equal "$output" tick
  wait_until 20 at_least 3
  fabric cancel tick
  expect_equal "$(fabric tasks --recurring --json | jq length)" 0
  expect_equal "$(runs | sort -u | wc -l)" "$(runs | wc -l)"
  runs | grep -vE '^tick\.[0-9]{8}T[0-9]{6}Z$' && return 1
  return 0
}

@test "a kill of the supervisor neither repeats nor stops them" {
  fabric spawn a -- true
  fabric schedule a --every 'every 1s' --id tick
  wait_until 20 at_least 2
  kill -9 "$(fabric status --json | jq .supervisor.pid)"
  fabric up --detach
  before=$(runs | wc -l)
  wait_until 20 at_least $((before + 2))
  expect_equal "$(fabric tasks --limit all --json | jq -r '.[] | select(.attempt > 1) | .id')" ""
  expect_equal "$(runs | sort -u | wc -l)" "$(runs | wc -l)"
}

@test "a cron expression says when it is next, in its time zone" {
  fabric spawn anna --kind external
  fabric schedule anna --every '0 9 * * 1-5' --timezone Europe/Berlin --id report
  expect_match "$(fabric tasks --recurring --json | jq -r '.[0].due // .[0].next_run')" 'T0[78]:00:00'
}

@test "what cannot be is refused" {
  fabric spawn anna --kind external
  for wrong in '0 0 30 2 *' '61 * * * *' nonsense; do
    run --separate-stderr fabric schedule anna --every "$wrong"
    expect_status 2
  done
  run --separate-stderr fabric schedule anna --every '@daily' --timezone Mars/Olympus
  expect_status 2
  run --separate-stderr fabric schedule ghost --every '@daily'
  expect_status 3
  run --separate-stderr fabric schedule anna --timezone UTC
  expect_status 2
}
