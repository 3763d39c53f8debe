# Limits: each is passed by something that succeeds without it, and the reason says which it was.
load helper

reason_of() { fabric status "$1" --json=reason,detail | jq -r '.reason + ": " + .detail'; }

@test "open files" {
  local script='import os, resource
h = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (h, h))
for i in range(2000): os.dup(1)'
  requires python3
  fabric spawn free -- python3 -c "$script"
  fabric spawn tight --nofile 100 -- python3 -c "$script"
  fabric schedule free --wait
  run fabric schedule tight --wait
  expect_status 1
}

@test "file size" {
  fabric spawn free -- dd if=/dev/zero of=f bs=64k count=64
  fabric spawn tight --file-size 1M -- dd if=/dev/zero of=f bs=64k count=64
  fabric schedule free --wait
  run fabric schedule tight --id t --wait
  expect_equal "$(reason_of t)" 'file_size: killed for writing a file beyond the limit of 1.0 MiB'
}

@test "/tmp and /dev/shm" {
  requires namespaces
  fabric spawn free -- sh -c 'dd if=/dev/zero of=$1/f bs=64k count=64' sh '{payload.dir}'
  fabric spawn tmp --tmp 1M -- sh -c 'dd if=/dev/zero of=$1/f bs=64k count=64' sh '{payload.dir}'
  fabric spawn shm --shm 1M -- sh -c 'dd if=/dev/zero of=$1/f bs=64k count=64' sh '{payload.dir}'
  fabric schedule free --payload '{"dir":"/tmp"}' --wait
  fabric schedule free --payload '{"dir":"/dev/shm"}' --wait
  fabric schedule tmp --payload '{"dir":"/dev/shm"}' --wait
  fabric schedule shm --payload '{"dir":"/tmp"}' --wait
  run fabric schedule tmp --payload '{"dir":"/tmp"}' --wait
  expect_status 1
  run fabric schedule shm --payload '{"dir":"/dev/shm"}' --wait
  expect_status 1
}

@test "output rate: slower, and all of it" {
  fabric spawn free -- head -c 500000 /dev/zero
  fabric spawn tight --output-rate 200K -- head -c 500000 /dev/zero
  fabric schedule free --id f --wait >/dev/null
  fabric schedule tight --id t --wait >/dev/null
  took() { fabric status "$1" --json=started_at,finished_at,result_bytes |
    jq -r '[.started_at, .finished_at] | map((.[0:19] + "Z" | fromdate) + ("0" + .[19:26] | tonumber)) | .[1] - .[0]'; }
  expect_equal "$(fabric status t --json=result_bytes | jq .result_bytes)" 500000
  [ "$(jq -n "$(took t) > 1 and $(took f) < $(took t)")" = true ]
}

@test "output size: what is dropped is said" {
  mkdir -p agents/a
  echo 'max_output = 1000000' >agents/a/agent.toml
  fabric spawn a -- head -c 3000000 /dev/zero
  fabric schedule a --id t --wait >/dev/null
  expect_match "$(fabric status t --json=detail | jq -r .detail)" '^1\.9 MiB of output beyond the limit of 976\.6 KiB were dropped$'
}

@test "processes: the end says how many were refused" {
  requires cgroups
  # Without the limit it succeeds.
  local bomb='i=0; while [ $i -lt 40 ]; do sleep 3 & i=$((i + 1)); done; exit 0'
  fabric spawn free -- sh -c "$bomb"
  fabric spawn tight --pids 20 -- sh -c "$bomb"
  fabric schedule free --wait
  run fabric schedule tight --id t --wait
  expect_match "$(reason_of t)" '^exit: exit code 2; the limit of 20 processes refused [0-9]+ more$'
}

@test "memory: the end says how much there was" {
  requires cgroups python3
  fabric spawn free -- python3 -c 'bytearray(100 << 20)'
  fabric spawn tight --memory 50M -- python3 -c 'bytearray(100 << 20)'
  fabric schedule free --wait
  run fabric schedule tight --id t --wait
  expect_match "$(reason_of t)" '^memory: killed by the memory limit of 50\.0 MiB \(peak (49|50)\.[0-9] MiB\)$'
}

@test "cpu: who was too slow because of it is told so" {
  requires cgroups python3
  local script='import time
while time.process_time() < 0.4: pass'
  fabric spawn free -- python3 -c "$script"
  fabric spawn tight --cpu 0.05 -- python3 -c "$script"
  fabric schedule free --timeout 10s --wait
  run fabric schedule tight --id t --timeout 3s --wait
  expect_match "$(reason_of t)" \
    '^timeout: ran longer than 3s; its processes waited [0-9.a-z ]+ because of the limit of 0\.05 cores \(it used [0-9a-z.]+\)$'
}

fill='import time
for i in range(40):
  open("f%d" % i, "wb").write(bytes(1 << 20))
  time.sleep(0.05)'

@test "disk: who fills the work directory ends, and goes on when there is room" {
  requires python3
  fabric spawn free -- python3 -c "$fill"
  fabric spawn tight --disk 10M -- python3 -c "$fill"
  fabric schedule free --wait
  run fabric schedule tight --id t --wait
  expect_match "$(reason_of t)" '^disk: the work directory held 1[0-9]\.[0-9] MiB, more than its limit of 10\.0 MiB$'
  expect_match "$(fabric status tight)" 'work directory +1[0-9]\.[0-9] MiB of 10M, watched'
  # Nothing of it is left frozen; and as long as it is over, nothing runs for long.
  run fabric schedule tight --id again --wait
  expect_match "$(reason_of again)" '^disk: '
  rm .fabric/agents/tight/work/f*
  fabric spawn other --disk 50M -- python3 -c "$fill"
  fabric schedule other --wait
}

@test "disk: it holds again under a new supervisor" {
  requires python3
  fabric spawn a --disk 10M -- python3 -c "import os, time
while not os.path.exists('go'): time.sleep(0.05)
$fill
time.sleep(60)"
  fabric schedule a --id t
  wait_for_state t running
  kill -9 "$(supervisor_pid)"
  fabric up --detach
  touch .fabric/agents/a/work/go
  wait_for_state t failed 20
  expect_match "$(reason_of t)" '^disk: '
}

@test "disk: a worker that fills it ends, with the tasks that it had" {
  requires python3
  cat >worker.py <<'END'
import json, sys, time
for line in sys.stdin:
    message = json.loads(line)
    for i in range(1000):
        open("f%d" % i, "wb").write(bytes(1 << 20))
        time.sleep(0.05)
END
  fabric spawn w --kind worker --isolation none --disk 10M -- python3 "$PWD/worker.py"
  run fabric schedule w --id t --wait
  expect_match "$(reason_of t)" '^disk: the worker ended: the work directory held '
}

@test "limits are shown, none of them silently" {
  fabric spawn a --nofile 100 --file-size 1M --disk 10M --tmp 2M --shm 3M --output-rate 1M -- true
  expect_match "$(fabric status a)" \
    'descriptors 100, file size 1M, disk 10M, /tmp 2M, /dev/shm 3M, output rate 1M/s'
  expect_equal "$(fabric agents --json=limits | jq -c '.[0].limits | [.nofile, .file_size_bytes, .disk_bytes, .tmp_bytes, .shm_bytes, .output_rate, .io_weight]')" \
    '[100,1048576,10485760,2097152,3145728,1048576,null]'
}

@test "io weight is refused where nothing would heed it" {
  requires cgroups
  local device
  device=$(stat -c '%Hd:%Ld' .)
  ! grep -qs '\[bfq\]' "/sys/dev/block/$device/queue/scheduler" "/sys/dev/block/$device/../queue/scheduler" ||
    skip "the disk has a scheduler that heeds it"
  refused 9 'io weight: the scheduler of the disk' fabric spawn a --io-weight 50 -- true
}
