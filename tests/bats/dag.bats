# SPDX-License-Identifier: Apache-2.0
# fabric schedule --dag: tasks that depend on each other, all or none.
load helper

@test "a TOML file runs in order, and results flow into payloads" {
  fabric spawn a -- sh -c 'cat'
  cat >d.toml <<'END'
[[task]]
name = "fetch"
agent = "a"
payload = { n = 7 }

[[task]]
name = "use"
agent = "a"
depends_on = ["fetch"]
payload = { got = "{tasks.fetch.result.n}", text = "n is {tasks.fetch.result.n}" }
END
  fabric schedule --dag d.toml --group g --wait
  expect_equal "$(fabric result g.use | jq -c .)" '{"got":7,"text":"n is 7"}'
  fabric events --json | jq -es '[.[] | select(.kind == "task.started").task] == ["g.fetch", "g.use"]'
}

@test "a JSON file is the same; policies release or end dependents" {
  fabric spawn anna --kind external
  echo '{"tasks":[{"name":"a","agent":"anna"},{"name":"b","agent":"anna","depends_on":["a"]},{"name":"c","agent":"anna","depends_on":["a"],"after":"finish"}]}' >d.json
  fabric schedule --dag d.json --group g
  lease=$(fabric claim anna --json=lease | jq .lease)
  fabric complete g.a --lease "$lease" --error broken
  expect_equal "$(field_of g.b state)" failed
  expect_equal "$(fabric status g.b --json | jq -r .detail)" "dependency g.a failed"
  expect_equal "$(fabric status g.c --json | jq -r .reason)" queued
}

@test "a cycle is refused with its local names, and nothing is queued" {
  fabric spawn anna --kind external
  printf '[[task]]\nname = "a"\nagent = "anna"\ndepends_on = ["b"]\n[[task]]\nname = "b"\nagent = "anna"\ndepends_on = ["a"]\n' >d.toml
  run --separate-stderr fabric schedule --dag d.toml
  expect_status 2
  expect_match "$stderr" 'a -> b -> a|b -> a -> b'
  expect_equal "$(fabric tasks --json | jq length)" 0
}

@test "errors name file, line and column" {
  fabric spawn anna --kind external
  printf '[[task]]\nname = "a"\nagent = "anna"\nprioritee = "high"\n' >d.toml
  run --separate-stderr fabric schedule --dag d.toml
  expect_status 2
  expect_match "$stderr" 'd.toml:4:1: '
  printf '[[task]]\nname = "a"\nagent = "anna"\ndepends_on = ["nobody"]\n' >d.toml
  run --separate-stderr fabric schedule --dag d.toml
  expect_status 2
  expect_match "$stderr" 'd.toml:4:.*nobody'
  expect_equal "$(fabric tasks --json | jq length)" 0
}
