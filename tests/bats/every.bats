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

@test "--dry-run checks and adds nothing" {
  fabric spawn anna --kind external
  expect_equal "$(fabric schedule anna --every '@daily' --dry-run)" 'would schedule a recurring task'
  refused 2 '--every' fabric schedule anna --every '61 * * * *' --dry-run
  refused 2 '--timezone' fabric schedule anna --every '@daily' --timezone Mars/Olympus --dry-run
  refused 3 'agent ghost not found' fabric schedule ghost --every '@daily' --dry-run
  expect_equal "$(fabric tasks --recurring --json)" '[]'
}

@test "what means one run is refused; the group of all runs is kept" {
  fabric spawn anna --kind external
  for option in '--idempotency-key k' '--delay 5m' '--wait' '--wait-for-space 1s'; do
    # shellcheck disable=SC2086 # an option and its value
    refused 2 'exclude each other' fabric schedule anna --every '@daily' $option
  done
  fabric schedule anna --every '@daily' --id d --group g
  expect_equal "$(fabric tasks --recurring --json | jq -c '.[0].task')" '{"group":"g","agent":"anna","payload":{}}'
}

@test "status shows a recurring task and its last run; what asks for a run says so" {
  fabric spawn anna --kind external
  fabric up --detach
  fabric schedule anna --every '0 9 * * 1' --timezone Europe/Berlin --id report --payload '{"n":1}'
  run --separate-stderr fabric status report
  expect_status 0
  expect_match "$output" 'recurring task +report'
  expect_match "$output" 'every +0 9 \* \* 1'
  expect_match "$output" 'runs +0, missed 0'
  expect_equal "$(fabric status report --json)" "$(fabric tasks --recurring --json | jq -c '.[0]')"
  expect_equal "$(fabric status report --json=id,runs)" '{"id":"report","runs":0}'
  refused 3 'recurring' fabric explain report
  refused 3 'recurring.*fabric status report' fabric wait report
  refused 3 'recurring' fabric result report
  refused 3 'recurring' fabric requeue report --priority high --dry-run
  fabric schedule anna --every 'every 1s' --id tick
  wait_until 20 sh -c "'$FABRIC' status tick --json | jq -e '.runs > 0'"
  last=$(fabric status tick | sed -n 's/^last run.*(task \(.*\))$/\1/p')
  fabric status "$last" --json=state
}
