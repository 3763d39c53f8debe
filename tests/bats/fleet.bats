# SPDX-License-Identifier: Apache-2.0
# Many agents at once: all of them run, at the same time, and the books are right.
load helper

running() { [ "$(fabric status --json | jq .queue.running)" = "$1" ]; }

@test "200 agents run at the same time, each its own queue, to the end" {
  cat >worker.sh <<'END'
read -r payload
case $payload in
*hold*) until [ -e "$GO" ]; do sleep 0.05; done ;;
*fail*) exit 3 ;;
esac
echo done
END
  for i in $(seq 200); do
    fabric spawn "a$i" --isolation none --env GO="$PWD/go" -- sh "$PWD/worker.sh" 2>/dev/null
  done >/dev/null
  for i in $(seq 200); do
    echo "{\"agent\":\"a$i\",\"id\":\"hold-$i\",\"payload\":\"hold\"}"
    echo "{\"agent\":\"a$i\",\"id\":\"short-$i\",\"payload\":\"short\"}"
    echo "{\"agent\":\"a$i\",\"id\":\"fail-$i\",\"payload\":\"fail\"}"
  done >batch
  fabric schedule --batch batch >/dev/null
  # Each holds on until all of them run: that is the peak, and nothing else can make it.
  wait_until 60 running 200
  expect_equal "$(fabric tasks --state running --limit all --json | jq -r '.[].agent' | sort -u | wc -l)" 200
  touch go
  cut -d'"' -f8 batch | xargs "$FABRIC" wait --timeout 60s >/dev/null || true
  expect_equal "$(fabric status --json | jq -c '.queue | [.pending, .running, .completed, .failed]')" "[0,0,400,200]"
  expect_equal "$(fabric agents --json | jq -c 'map(.tasks.completed) | unique')" "[2]"
  fabric store check
}
