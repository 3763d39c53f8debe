# Agents of kind worker: one process, JSON-RPC 2.0, one object a line.
load helper

worker() {
  cat >"$BATS_TEST_TMPDIR/worker.py" <<'END'
import json, os, sys
def send(o): print(json.dumps(o), flush=True)
for line in sys.stdin:
    m = json.loads(line)
    if m.get("method") == "shutdown": break
    if m.get("method") != "task/run": continue
    p = m["params"]["payload"]
    if p == "fail": send({"jsonrpc": "2.0", "id": m["id"], "error": {"code": 4, "message": "cannot"}})
    elif p == "hang": pass
    else: send({"jsonrpc": "2.0", "id": m["id"], "result": {"echo": p, "pid": os.getpid()}})
END
  requires python3
  fabric spawn w --kind worker -- /usr/bin/python3 -u -c "$(cat "$BATS_TEST_TMPDIR/worker.py")"
}

@test "a worker takes task after task in one process" {
  worker
  fabric schedule w --id t1 --payload '{"x":1}' --wait >/dev/null
  fabric schedule w --id t2 --payload '2' --wait >/dev/null
  expect_equal "$(fabric result t1 | jq -c .echo)" '{"x":1}'
  expect_equal "$(fabric result t2 | jq -c .echo)" 2
  expect_equal "$(fabric result t1 | jq .pid)" "$(fabric result t2 | jq .pid)"
}

@test "an error that a worker answers fails the task with its message" {
  worker
  run fabric schedule w --id t --payload '"fail"' --wait
  expect_status 1
  fabric status t --json | jq -e '.state == "failed" and .reason == "error" and (.detail | test("cannot"))'
}

@test "a task that a worker does not answer times out" {
  worker
  run fabric schedule w --id t --payload '"hang"' --timeout 300ms --wait
  expect_status 8
  expect_equal "$(field_of t state)" timed_out
}

@test "a worker is told to shut down before it is stopped" {
  cat >worker.py <<'P'
import json, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for line in sys.stdin:
    message = json.loads(line)
    if message["method"] == "shutdown":
        open("told", "w").close()
        break
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": 1}), flush=True)
P
  fabric spawn w --kind worker -- python3 -c "$(cat worker.py)"
  fabric run w
  fabric terminate w
  [ -e .fabric/agents/w/work/told ]
}
