# What agents and tasks use now.
load helper

# A task that holds 40 MiB, has written 2 MiB and waits.
busy='import os, time
x = bytearray(40 << 20)
f = open("f", "wb"); f.write(bytes(2 << 20)); f.flush(); os.fsync(f.fileno())
print("ready", flush=True)
time.sleep(120)'

says_ready() { [ "$(fabric logs "$1" 2>/dev/null)" = ready ]; }

@test "stats shows agents with their limits, and the tasks that they run" {
  requires cgroups namespaces python3
  fabric spawn a --pids 30 --disk 1G -- python3 -c "$busy"
  fabric spawn b -- true
  fabric schedule a --id t1 --priority critical
  wait_until 10 says_ready t1
  run --separate-stderr fabric stats
  expect_status 0
  expect_match "${lines[0]}" "^AGENT +MEMORY +CPU +WAITED +PIDS +REFUSED +READ +WRITTEN"
  # Files of python that nobody else has in memory are charged to it; a disk that is busy may be
  # written to twice, before fsync and by it.
  expect_match "${lines[1]}" '^a +[45][0-9]\.[0-9] MiB/512\.0 MiB .* 1/30 .* [2-4]\.[0-9] MiB'
  expect_match "${lines[1]}" '/1\.0 GiB$'
  expect_match "${lines[2]}" '^  t1 +[45][0-9]\.[0-9] MiB '
  expect_match "${lines[3]}" '^b +'
  run fabric stats a
  expect_equal "${#lines[@]}" 3
  fabric cancel t1
}

@test "stats --json is by attempt too" {
  requires cgroups namespaces python3
  mkdir -p agents/a
  echo 'max_concurrent_tasks = 2' >agents/a/agent.toml
  fabric spawn a --disk 1G -- python3 -c "$busy"
  fabric schedule a --id t1 --priority critical
  fabric schedule a --id t2 --priority critical
  wait_until 10 says_ready t1
  wait_until 10 says_ready t2
  expect_equal "$(fabric stats --json | jq -c '.[0].attempts | map(.tasks) | sort')" '[["t1"],["t2"]]'
  expect_equal "$(fabric stats a --json | jq -c '.[0] |
    [.agent, .memory_bytes > 80000000, .attempts[0].memory_bytes > 40000000,
     .attempts[1].memory_bytes < 80000000, .attempts[0].processes, .pids, .io_written_bytes >= 4000000,
     .disk_quota, .limits.disk_bytes, (.net_sent_bytes | type)]')" \
    '["a",true,true,true,1,2,true,"watched",1073741824,"number"]'
  fabric cancel t1 t2
  wait_for_state t2 cancelled
  expect_equal "$(fabric stats a --json | jq -c '.[0].attempts')" '[]'
  refused 2 "unknown field 'nothing'" fabric stats --json=nothing
}

@test "at isolation none there is no network of its own" {
  requires cgroups
  fabric spawn a --isolation none -- true
  expect_equal "$(fabric stats --json | jq -c '.[0].net_sent_bytes')" null
}

@test "stats --follow goes on, a line for each look" {
  requires cgroups
  fabric spawn a -- true
  fabric stats --follow --json=at,agent >out &
  local pid=$!
  wait_until 15 eval '[ "$(wc -l <out)" -ge 2 ]'
  kill $pid
  expect_equal "$(jq -r .agent out | sort -u)" a
  fabric stats -f | head -1 >head # who reads no more ends it
  expect_match "$(cat head)" ^AGENT
}

@test "use is told of a sandbox that a predecessor made" {
  requires cgroups python3
  fabric spawn a --disk 1G -- python3 -c "$busy"
  fabric schedule a --id t1 --priority critical
  wait_until 10 says_ready t1
  kill -9 "$(supervisor_pid)"
  fabric up --detach
  expect_equal "$(fabric stats --json | jq -c '.[0] | [.attempts[0].tasks, .attempts[0].memory_bytes > 40000000]')" \
    '[["t1"],true]'
  known() { [ "$(fabric stats --json | jq '.[0].disk_bytes >= 2097152')" = true ]; }
  wait_until 10 known
  fabric cancel t1
}

@test "status has the live use too" {
  requires cgroups namespaces python3
  fabric spawn a --disk 1G -- python3 -c "$busy"
  fabric schedule a --id t1 --priority critical
  wait_until 10 says_ready t1
  run fabric status a
  expect_match "$output" 'uses +4[0-9]\.[0-9] MiB memory'
  expect_match "$output" 'disk traffic +.* 2\.[0-9] MiB written'
  expect_match "$output" 'network +0 B received, 0 B sent'
  expect_match "$output" 'work directory +[0-9.]+ [KMG]?i?B of 1G, watched'
  expect_equal "$(fabric status a --json=disk_quota,pids_refused | jq -c '[.disk_quota, .pids_refused]')" '["watched",0]'
  fabric cancel t1
}

@test "without a supervisor, or an agent, or a sandbox, it says so" {
  refused 3 'no supervisor is running' fabric stats
  fabric spawn a -- true
  refused 3 'agent x not found' fabric stats x
  fabric spawn e --kind external
  refused 3 'agent e is external' fabric stats e
  fabric terminate a
  run --separate-stderr fabric stats
  expect_status 0
  expect_match "$stderr" 'no agent has a sandbox'
}
