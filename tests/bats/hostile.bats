# SPDX-License-Identifier: Apache-2.0
# What an agent hands to another task of its own, or writes for whoever looks.
load helper

@test "an end of a pipe that another task holds keeps nobody's end waiting" {
  requires root namespaces python3
  mkdir -p agents/a shared
  cat >shared/t.py <<'END'
import array, json, os, socket, sys, time
give = json.load(sys.stdin)["give"]
s = socket.socket(socket.AF_UNIX)
if give:
    while True:
        try:
            s.connect("/tmp/s")
            break
        except OSError:
            time.sleep(0.01)
    s.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [1]).tobytes())])
    s.recv(1)
    os._exit(0)
s.bind("/tmp/s")
s.listen()
peer, _ = s.accept()
data = peer.recvmsg(1, socket.CMSG_SPACE(4))[1][0][2]
out = array.array("i", data)[0]
for i in range(4):
    if os.fork() == 0:
        break
peer.send(b"k")
try:
    while True:
        os.write(out, b"x" * 65536)
except BrokenPipeError:
    pass
END
  printf 'max_concurrent_tasks = 2\ncommand = ["python3", "/work/t.py"]\n' >agents/a/agent.toml
  fabric spawn a --work shared --cpu none
  fabric schedule a --id take --payload '{"give":false}' --timeout 300s
  fabric schedule a --id give --payload '{"give":true}' --timeout 300s
  wait_for_state give completed 60
  wait_for_state take completed 60
  # It got what was in the pipe; without an end to that it was many times as much.
  [ "$(field_of give result_bytes)" -le 2000000 ]
}
