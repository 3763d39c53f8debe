# SPDX-License-Identifier: Apache-2.0
# fabric schedule --array: one task an item.
load helper

@test "a range makes a task for each number, with {item} in its payload" {
  fabric spawn anna --kind external
  run --separate-stderr fabric schedule anna --array 1-3 --group g --payload '{"n": "{item}", "text": "no. {item}"}' --metadata 'nr={item}'
  expect_status 0
  expect_equal "$output" "$(printf 'g.1\ng.2\ng.3')"
  expect_match "$stderr" 'fabric wait --group g'
  expect_equal "$(fabric status g.2 --json | jq -c '[.payload, .metadata, .group]')" '[{"n":2,"text":"no. 2"},{"nr":"2"},"g"]'
}

@test "steps, lists and files of items" {
  fabric spawn anna --kind external
  expect_equal "$(fabric schedule anna --array 1-9:4 --id s 2>/dev/null | tr '\n' ' ')" "s.1 s.5 s.9 "
  expect_equal "$(fabric schedule anna --array 5,2 --id l 2>/dev/null | tr '\n' ' ')" "l.5 l.2 "
  printf 'plain text\n\n{"a": [1]}\n' >items
  fabric schedule anna --array @items --id f --payload '{"item": "{item}"}' 2>/dev/null
  expect_equal "$(fabric status f.1 --json | jq -c .payload)" '{"item":"plain text"}'
  expect_equal "$(fabric status f.2 --json | jq -c .payload)" '{"item":{"a":[1]}}'
}

@test "a thousand tasks run, and wait --group waits for all" {
  fabric spawn a --max-queue-depth 2000 -- true
  fabric schedule a --array 1-1000 --group g >/dev/null
  fabric wait --group g --timeout 60s >/dev/null
  expect_equal "$(fabric status --json | jq .queue.completed)" 1000
}

@test "bad ranges are refused, and nothing is queued" {
  fabric spawn anna --kind external
  for wrong in 3-1 x 1- 1-9:0 '' 1-99999999999; do
    run --separate-stderr fabric schedule anna --array "$wrong"
    expect_status 2
  done
  expect_equal "$(fabric tasks --json | jq length)" 0
}

@test "more than the queue takes: how to go on is said" {
  fabric spawn a --max-queue-depth 150 -- true
  fabric down
  run --separate-stderr fabric schedule a --array 1-300 --group g --wait-for-space 100ms
  expect_status 6
  expect_match "$stderr" '100 tasks before it are scheduled; the same command with --group g adds the rest'
  expect_equal "$(fabric tasks --group g --limit all --json | jq length)" 100
}

@test "what names one task is refused" {
  fabric spawn anna --kind external
  refused 2 'exclude each other' fabric schedule anna --array 1-2 --idempotency-key k
  refused 2 'exclude each other' fabric schedule anna --array 1-2 --id i --group g
}
