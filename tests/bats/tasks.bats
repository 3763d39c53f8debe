load helper

@test "tasks lists the newest first, and filters" {
  fabric spawn a -- true
  fabric spawn b -- false
  fabric schedule a --id t1 --type x --wait >/dev/null
  fabric schedule b --id t2 --wait >/dev/null || true
  fabric schedule a --id t3 --type y --wait >/dev/null
  expect_equal "$(fabric tasks --json | jq -r '[.[].id] | join(" ")')" 't3 t2 t1'
  expect_equal "$(fabric tasks --state failed --json | jq -r '.[].id')" t2
  expect_equal "$(fabric tasks --agent a --json | jq -r '[.[].id] | join(" ")')" 't3 t1'
  expect_equal "$(fabric tasks --type x --json | jq -r '.[].id')" t1
  expect_equal "$(fabric tasks --limit 1 --json | jq -r '.[].id')" t3
}

@test "tasks shows 50 unless told otherwise, and says so" {
  fabric spawn a -- true
  fabric down
  for i in $(seq 60); do printf '{"agent":"a","payload":%s}\n' "$i"; done | fabric schedule --batch - >/dev/null 2>&1
  run --separate-stderr fabric tasks
  expect_equal "$(wc -l <<<"$output")" 51
  expect_match "$stderr" 'limit all'
  expect_equal "$(fabric tasks --limit all | wc -l)" 61
}

@test "a bad filter is refused" {
  refused 2 'pending, running' fabric tasks --state done
  refused 2 '--limit' fabric tasks --limit 0
}

@test "tasks filters by group and by metadata" {
  fabric spawn a -- true
  fabric down
  fabric schedule a --id t1 --group g --metadata team=web --metadata env=prod 2>/dev/null
  fabric schedule a --id t2 --group g --metadata team=ops 2>/dev/null
  fabric schedule a --id t3 --metadata team=web 2>/dev/null
  expect_equal "$(fabric tasks --group g --json | jq -r '[.[].id] | join(" ")')" 't2 t1'
  expect_equal "$(fabric tasks --metadata team=web --json | jq -r '[.[].id] | join(" ")')" 't3 t1'
  expect_equal "$(fabric tasks --metadata team=web --metadata env=prod --json | jq -r '.[].id')" t1
  expect_equal "$(fabric tasks --group none --json)" '[]'
  refused 2 'no KEY=VALUE' fabric tasks --metadata team
}

@test "tasks says what a pending task waits for" {
  fabric spawn a -- true
  fabric down
  fabric schedule a --id t1 --exclusive k 2>/dev/null
  fabric schedule a --id t2 --exclusive k 2>/dev/null
  fabric schedule a --id t3 --at 2999-01-01T12:00:00Z 2>/dev/null
  run --separate-stderr fabric tasks
  expect_match "$output" 'exclusive key k'
  expect_match "$output" 'not before 2999-01-01'
}

# cut at the width of the terminal, whatever is in it
@test "on a terminal of 80 columns no line is longer" {
  requires script
  fabric spawn a-long-name-of-an-agent-for-this -- true
  fabric down
  for i in 1 2 3; do
    fabric schedule a-long-name-of-an-agent-for-this --type a-type-with-a-name --priority critical \
      --at 2999-01-01T12:00:00Z 2>/dev/null
  done
  TERM=dumb COLUMNS=80 script -qec "'$FABRIC' tasks" /dev/null 2>/dev/null </dev/null | tr -d '\r' >shown
  expect_equal "$(wc -l <shown)" 4
  [ "$(wc -L <shown)" -le 80 ]
}

@test "tasks --recurring has its own fields, and takes no filter" {
  expect_equal "$(fabric tasks --recurring --json)" '[]'
  run --separate-stderr fabric tasks --recurring
  expect_status 0
  expect_match "$stderr" 'no recurring tasks'
  refused 2 'unknown field .state.' fabric tasks --recurring --json=state
  refused 2 'recurring' fabric tasks --recurring --agent a
}
