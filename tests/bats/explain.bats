# SPDX-License-Identifier: Apache-2.0
# fabric explain: one test a reason.
load helper

reasons() { fabric explain "$1" --json | jq -r '.reasons[].kind' | tr '\n' ' '; }
text_of() { fabric explain "$1" --json | jq -r --arg kind "$2" '.reasons[] | select(.kind == $kind) | .text'; }
anna() { fabric spawn anna --kind external "$@" >/dev/null; }

@test "a task that waits for others names them and their states" {
  anna
  fabric schedule anna --id t1
  fabric schedule anna --id t2 --after t1
  expect_equal "$(text_of t2 dependency)" "it waits for t1, which is pending"
}

@test "a start time and the pause before a retry are told with the time that is left" {
  anna
  fabric schedule anna --id later --delay 1h
  expect_match "$(text_of later not_before)" 'not before .*, in (59m|1h)'
  fabric schedule anna --id again --retries 2 --backoff 1h
  lease=$(fabric claim anna --json=lease | jq .lease)
  fabric complete again --lease "$lease" --error no
  expect_match "$(text_of again retry)" 'retry 1 of 2'
}

@test "who holds an exclusive key is named" {
  anna
  fabric schedule anna --id first --exclusive deploy
  fabric schedule anna --id second --exclusive deploy
  expect_equal "$(text_of second exclusive)" "its key 'deploy' is held by first, which is pending"
}

@test "a pause is told with how to lift it" {
  anna
  fabric schedule anna --id t1
  fabric pause anna
  expect_match "$(text_of t1 paused)" '^agent anna is paused since .*, by '
  expect_equal "$(fabric explain t1 --json | jq -r .next)" "fabric resume anna"
}

@test "a busy agent is told with what it runs" {
  anna
  fabric schedule anna --id t1
  fabric schedule anna --id t2
  fabric claim anna >/dev/null
  expect_equal "$(text_of t2 agent_slots)" "agent anna is busy: 1 of 1 slot in use by t1"
}

@test "slots of labels and of the workspace" {
  printf '\n[scheduler]\nslots = { gpu = 1 }\nmax_concurrent_tasks = 1\n' >fabric.toml
  anna
  fabric spawn bert --kind external
  fabric schedule anna --id t1 --slots gpu=1
  fabric schedule bert --id t2 --slots gpu=1
  fabric schedule bert --id t3
  fabric claim anna >/dev/null
  expect_equal "$(text_of t3 workspace_slots | cut -d: -f1)" "the workspace runs as many tasks as it may"
  printf '\n[scheduler]\nslots = { gpu = 1 }\n' >fabric.toml
  expect_equal "$(text_of t2 label_slots)" "too few free slots of gpu: 1 in use by t1"
}

@test "requirements say who fits and who does not" {
  anna
  printf 'kind = "external"\ntools = ["browser"]\n' >agent.toml
  mkdir -p agents/bert && mv agent.toml agents/bert/
  fabric spawn bert
  fabric schedule --require tool=browser --id t1
  expect_equal "$(text_of t1 require)" "it needs tool=browser: bert fit; anna do not"
}

@test "without a supervisor nothing starts, and how many are before it" {
  fabric spawn a -- true
  fabric down
  fabric schedule a --id t1
  fabric schedule a --id t2
  expect_match "$(reasons t2)" '^no_supervisor .*turn $'
  expect_match "$(text_of t2 turn)" '^1 task of its share and priority is before it'
}

@test "running and ended tasks say where and why" {
  fabric spawn a -- false
  fabric schedule a --id t1 --retries 1 --wait || true
  expect_equal "$(reasons t1)" "failed attempt "
  expect_match "$(text_of t1 attempt)" '^attempt 1 on a: failed, exit code 1$'
  anna
  fabric schedule anna --id t2 --deadline +1h
  fabric claim anna >/dev/null
  expect_equal "$(reasons t2)" "running limit "
  run --separate-stderr fabric explain nothing
  expect_status 3
}
