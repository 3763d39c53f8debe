# fabric schedule --dag
load helper

@test "a DAG of TOML runs in order, with results handed on" {
  fabric spawn a -- sh -c 'echo "$FABRIC_TASK_ID" >>/work/order; printf "%s" "{payload.text}"'
  cat >dag.toml <<'END'
[[task]]
name = "report"
agent = "a"
priority = "critical"
depends_on = ["left", "right"]
payload = { text = "got {tasks.left.result} and {tasks.right.result}" }

[[task]]
name = "left"
agent = "a"
depends_on = ["root"]
payload = { text = "L" }

[[task]]
name = "right"
agent = "a"
depends_on = ["root"]
payload = { text = "R" }

[[task]]
name = "root"
agent = "a"
payload = { text = "" }
END
  run --separate-stderr fabric schedule --dag dag.toml --group g --wait
  expect_status 0
  expect_equal "$output" g
  expect_equal "$(head -1 .fabric/agents/a/work/order)" g.root
  expect_equal "$(tail -1 .fabric/agents/a/work/order)" g.report
  expect_equal "$(fabric result g.report)" 'got L and R'
}

@test "a DAG of JSON, with all fields of a task line" {
  fabric spawn a -- true
  fabric down
  cat >dag.json <<'END'
{"tasks": [
  {"name": "x", "agent": "a", "type": "t", "retries": 2, "timeout_seconds": 1.5, "metadata": {"k": "v"}, "payload": [1.50]},
  {"name": "y", "id": "own-id", "agent": "a", "depends_on": ["x"], "after": "finish"}
]}
END
  fabric schedule --dag dag.json --group g --json 2>/dev/null >out
  expect_equal "$(jq -r .id out | tr '\n' ' ')" 'g.x own-id '
  fabric status g.x --json | jq -e '.type == "t" and .retries.limit == 2 and .timeout_seconds == 1.5 and .metadata.k == "v" and .payload == [1.5] and .group == "g"'
  fabric status own-id --json | jq -e '.depends_on == ["g.x"] and .after == "finish" and .group == "g"'
  run --separate-stderr fabric schedule --dag dag.json --group g
  expect_match "$stderr" '2 tasks scheduled, 2 of them before'
}

# behaviour: a cycle is refused by name, and nothing is queued
@test "a cycle is shown in local names, and nothing is queued" {
  fabric spawn a -- true
  printf '[[task]]\nname="%s"\nagent="a"\ndepends_on=["%s"]\n' a b b c c a >dag.toml
  refused 2 'dag.toml: .*a -> b -> c -> a' fabric schedule --dag dag.toml
  expect_equal "$(fabric tasks --json)" '[]'
}

@test "errors name the place in the file, and nothing is queued" {
  fabric spawn a -- true
  printf '[[task]]\nagent = "a"\nprioritee = "low"\n' >dag.toml
  refused 2 "dag.toml:3:1: unknown field 'prioritee'" fabric schedule --dag dag.toml
  printf '[[task]]\nagent = "a"\nname = "one"\n[[task]]\nagent = "a"\ndepends_on = ["onee"]\n' >dag.toml
  refused 2 "dag.toml:6:14: no task of this file has the name 'onee'" fabric schedule --dag dag.toml
  expect_match "$stderr" 'did you mean one'
  printf '{"tasks": [{"agent": "a"},\n{"agent": "a", "priority": 7}]}' >dag.json
  refused 2 'dag.json:2:28: ' fabric schedule --dag dag.json
  printf '[[task]]\nagent = "a"\n[[task]]\nagent = "ghost"\n' >dag.toml
  refused 3 'agent ghost not found' fabric schedule --dag dag.toml
  expect_equal "$(fabric tasks --json)" '[]'
}

@test "what each task says for itself excludes --dag" {
  printf '[[task]]\nagent = "a"\n' >dag.toml
  refused 2 'exclude each other' fabric schedule a --dag dag.toml
  refused 2 'exclude each other' fabric schedule --dag dag.toml --priority low
  refused 2 'exclude each other' fabric schedule --dag dag.toml --batch b
}
