load helper

@test "a failed task is repeated as a new one" {
  fabric spawn a -- sh -c 'test -e /work/mended'
  fabric schedule a --id t --type x --payload '{"n":1}' --wait >/dev/null || true
  expect_equal "$(field_of t state)" failed
  touch .fabric/agents/a/work/mended
  run --separate-stderr fabric retry t
  expect_status 0
  new=$output
  [ "$new" != t ]
  fabric wait "$new" --timeout 10s
  fabric status "$new" --json | jq -e '.retry_of == "t" and .type == "x" and .payload == {"n": 1}'
  fabric status t --json | jq -e --arg new "$new" '.state == "failed" and .retried_as == $new'
  expect_match "$(fabric status t)" "retried as +$new"
  refused 1 "was retried as $new" fabric retry t
}

@test "--dead repeats the dead-letter list, which is empty then" {
  fabric spawn bad -- false
  fabric spawn good -- true
  fabric schedule bad --id t1 --retries 1 --wait >/dev/null || true
  fabric schedule bad --id t2 --retries 1 --wait >/dev/null || true
  fabric schedule good --id fine --wait >/dev/null
  fabric down
  expect_equal "$(fabric tasks --dead --json | jq -r '[.[].id] | sort | join(" ")')" "t1 t2"
  expect_equal "$(fabric status --json | jq .dead)" 2
  fabric retry --dead --dry-run | grep -q 'would retry t1'
  fabric retry --dead --json | jq -e '.state == "pending" and (.retry_of | test("^t[12]$"))'
  expect_equal "$(fabric tasks --dead --json)" '[]'
  run --separate-stderr fabric retry --dead
  expect_status 0
  expect_match "$stderr" 'list is empty'
}

@test "what did not end badly is refused" {
  fabric spawn a -- true
  fabric schedule a --id done --wait >/dev/null
  fabric down
  fabric schedule a --id t 2>/dev/null
  refused 1 'has completed' fabric retry done
  refused 1 'has not ended' fabric retry t
  refused 3 'ghost not found' fabric retry ghost
  refused 2 'ID is missing' fabric retry
  refused 2 'exclude each other' fabric retry t --dead
  refused 1 'is pending' fabric retry t --dry-run
}

@test "several: those that can be are repeated" {
  fabric spawn a -- false
  fabric schedule a --id t1 --wait >/dev/null || true
  run --separate-stderr fabric retry ghost t1
  expect_status 3
  expect_equal "$(wc -l <<<"$output")" 1
}
