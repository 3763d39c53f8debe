load helper

# behaviour: five agents are five in the list; an empty workspace prints an empty list and exits 0
@test "agents lists what was spawned, by id" {
  run --separate-stderr fabric agents
  expect_status 0
  expect_equal "$output" ""
  for i in 3 1 5 2 4; do fabric spawn a$i -- true; done
  expect_equal "$(fabric agents --json | jq -r '[.[].id] | join(" ")')" 'a1 a2 a3 a4 a5'
  expect_equal "$(fabric agents | wc -l)" 6
}

@test "agent JSON has what it must have" {
  fabric spawn a -- true
  fabric run a
  fabric agents --json | jq -e '.[0] |
    has("id") and has("state") and has("health") and has("model") and has("tools") and
    has("isolation") and has("pid") and has("started_at") and has("memory_bytes") and
    has("cpu_seconds") and .tasks.completed == 1 and .tasks.pending == 0 and
    .tasks.running == 0 and .tasks.failed == 0'
}

@test "a living agent has live use; a stopped one has null" {
  requires cgroups
  fabric spawn a -- true
  fabric agents --json | jq -e '.[0].memory_bytes > 0'
  fabric down
  fabric agents --json | jq -e '.[0] | .memory_bytes == null and .cpu_seconds == null and .pid == null'
}

@test "agents --json tells an agent's pool and how deep its queue may be" {
  mkdir -p agents/anna
  printf 'kind = "external"\npool = "people"\nmax_queue_depth = 7\n' >agents/anna/agent.toml
  fabric spawn anna 2>/dev/null
  fabric agents --json=pool,max_queue_depth | jq -e '. == [{"pool": "people", "max_queue_depth": 7}]'
  fabric spawn bob --kind external 2>/dev/null
  fabric status bob --json | jq -e '.pool == null and .max_queue_depth == 1000'
}
