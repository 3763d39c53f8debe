#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A file system that dies under a running workspace: ext4 in a file, on a loop device, is shut down at
# random moments (EXT4_IOC_SHUTDOWN, journal not flushed: what was not synced is gone) while tasks are
# scheduled and run. Then it is unmounted and mounted again, which replays its journal. Afterwards every
# acknowledged task is there, and in the end each has completed with its own result.
#
#   tests/crash/pull_the_plug.sh [-n ROUNDS] [-s SEED] [FABRIC]
#
# Needs root and a free loop device. Where there are none it says so and passes; where there are, in CI,
# not being able to run is a failure. Touches no mount but its own.
set -euo pipefail

rounds=4
seed=$$
while getopts n:s: option; do
  case $option in
    n) rounds=$OPTARG ;;
    s) seed=$OPTARG ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
fabric=${1:-fabric}
RANDOM=$seed

cannot() {
  echo "SKIPPED: pull_the_plug cannot run here: $*"
  if [ "${CI:-}" = true ] && [ -e /dev/loop-control ]; then exit 1; fi
  exit 0
}
[ "$(id -u)" -eq 0 ] || cannot "it needs root, to mount a file system"
[ -e /dev/loop-control ] || cannot "there are no loop devices"
command -v mkfs.ext4 >/dev/null || cannot "there is no mkfs.ext4 (Debian: e2fsprogs)"

# In memory: what a plug takes away is above the loop device, and the real disk may be slow.
if [ -w /dev/shm ]; then export TMPDIR=/dev/shm; fi
scratch=$(mktemp -d)
mount_point=$scratch/mnt
ws=$mount_point/ws
export XDG_STATE_HOME=$scratch/state
mkdir "$mount_point"

# Supervisor and clients have the workspace in their arguments or environment.
processes() {
  local file
  for file in $(grep -lzxs -- "FABRIC_WORKSPACE=$ws" /proc/[0-9]*/environ) \
    $(grep -lzxs -- "$ws" /proc/[0-9]*/cmdline); do
    file=${file#/proc/}
    echo "${file%%/*}"
  done | sort -u
}
# Sandboxes have nothing of it to be seen, and hold the mount: they are children of the supervisor, which
# is stopped first, so that it makes no more of them. With their first process all of a sandbox dies.
kill_all() {
  local pid pids
  pids=$(processes)
  for pid in $pids; do kill -STOP "$pid" 2>/dev/null || true; done
  for pid in $pids; do pkill -KILL -P "$pid" || true; done
  for pid in $pids; do kill -KILL "$pid" 2>/dev/null || true; done
}
loop_devices() { losetup --noheadings --output NAME --associated "$scratch/disk" 2>/dev/null; }
# Until nobody has it: a file system that somebody still holds would not replay its journal.
wait_until() {
  local deadline=$((SECONDS + 60))
  until "$@"; do
    [ $SECONDS -lt $deadline ] || fail "not within 60 s: $*"
    perl -e 'select(undef, undef, undef, 0.02)'
  done
}
is_unmounted() {
  if mountpoint -q "$mount_point"; then
    kill_all
    umount "$mount_point" 2>/dev/null || return 1
  fi
  [ -z "$(loop_devices)" ]
}
clean_up() {
  trap - EXIT
  kill_all
  wait 2>/dev/null || true
  if mountpoint -q "$mount_point"; then umount "$mount_point" 2>/dev/null || umount --lazy "$mount_point"; fi
  rm -rf --one-file-system "$scratch"
}
fail() {
  echo "FAILED: $* (seed $seed)" >&2
  exit 1
}
trap clean_up EXIT
trap 'exit 130' INT TERM

truncate --size 192M "$scratch/disk"
mkfs.ext4 -q -F "$scratch/disk"
mount -o loop "$scratch/disk" "$mount_point" 2>"$scratch/mount.err" || cannot "$(cat "$scratch/mount.err")"
pull_the_plug() {  # _IOR('X', 125, __u32) with EXT4_GOING_FLAGS_NOLOGFLUSH
  python3 -c 'import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack("I", 2))' "$mount_point"
}

echo "seed $seed, $rounds rounds, disk $scratch/disk"
"$fabric" init "$ws" >/dev/null 2>&1
for agent in a b; do
  # shellcheck disable=SC2016
  "$fabric" -C "$ws" spawn $agent --memory 64M -- sh -c 'echo "$FABRIC_TASK_ID"' >/dev/null 2>&1
done
# What is not a task may be lost with its directory entry: it is no part of the promise.
sync --file-system "$mount_point"

: > "$scratch/ledger"
send() {  # [CLIENT] until it is told that the disk is gone
  local n=0 i
  while :; do
    n=$((n + 1))
    for i in $(seq 1 $((1 + RANDOM % 20))); do
      printf '{"id":"r%d-%s-%d-%d","agent":"%s"%s}\n' "$round" "$1" $n "$i" "$([ $((i % 2)) = 0 ] && echo a || echo b)" \
        "$([ "$i" -gt 1 ] && printf ',"depends_on":["r%d-%s-%d-%d"]' "$round" "$1" $n $((i - 1)))"
    done > "$scratch/batch.$1"
    "$fabric" -C "$ws" schedule --batch "$scratch/batch.$1" > "$scratch/acknowledged.$1" 2>/dev/null || return 0
    cat "$scratch/acknowledged.$1" >> "$scratch/ledger.$1"
  done
}
check_ledger() {
  cat "$scratch"/ledger.[xy] | sort > "$scratch/ledger"
  "$fabric" -C "$ws" tasks --limit all --json=id | sed -n 's/.*"id": *"\([^"]*\)".*/\1/p' | sort > "$scratch/there"
  local lost
  lost=$(comm -23 "$scratch/ledger" "$scratch/there")
  [ -z "$lost" ] || fail "round $round: acknowledged and lost: $(head -5 <<< "$lost" | tr '\n' ' ')"
}

: > "$scratch/ledger.x"
: > "$scratch/ledger.y"
"$fabric" -C "$ws" up --detach >/dev/null 2>"$scratch/up.err" || fail "$(cat "$scratch/up.err")"
lossy=0
# A plug that loses nothing would prove nothing; but a commit of others in the last moment takes the
# witness along, so that some rounds more may be needed.
for round in $(seq 1 $((rounds * 5))); do
  if [ "$round" -gt "$rounds" ] && [ "$lossy" -gt 0 ]; then break; fi
  done_rounds=$round
  send x 2>/dev/null &
  send y 2>/dev/null &
  perl -e 'select(undef, undef, undef, 0.05 + rand(0.6))'
  echo "not synced" > "$mount_point/witness.$round"
  pull_the_plug
  kill_all
  wait
  wait_until is_unmounted
  mount -o loop "$scratch/disk" "$mount_point"
  "$fabric" -C "$ws" store check >"$scratch/check" 2>&1 || fail "round $round: $(cat "$scratch/check")"
  if [ ! -s "$mount_point/witness.$round" ]; then lossy=$((lossy + 1)); fi
  check_ledger
  "$fabric" -C "$ws" up --detach >/dev/null 2>"$scratch/up.err" || fail "round $round: $(cat "$scratch/up.err")"
  check_ledger
done

xargs -n 500 "$fabric" -C "$ws" wait --timeout 60s < "$scratch/ledger" >/dev/null 2>&1 || true
"$fabric" -C "$ws" tasks --limit all --json=id,state,reason,result_bytes > "$scratch/tasks.json"
"$fabric" -C "$ws" down >/dev/null
python3 - "$scratch" <<'P' || fail "see above"
import json, pathlib, sys
scratch = pathlib.Path(sys.argv[1])
tasks = json.loads((scratch / "tasks.json").read_text())
by_id = {t["id"]: t for t in (tasks if isinstance(tasks, list) else tasks["tasks"])}
ledger = (scratch / "ledger").read_text().split()
bad = [i for i in ledger if by_id[i]["state"] != "completed" or by_id[i]["result_bytes"] != len(i) + 1]
for i in bad[:10]: print(by_id[i], file=sys.stderr)
print(f"{len(ledger)} tasks acknowledged, {len(by_id)} there, {len(bad)} wrong")
sys.exit(bool(bad) or not ledger)
P
wait_until is_unmounted
[ $lossy -gt 0 ] || fail "what was not synced survived each time"
echo "$lossy of $done_rounds times what was not synced was lost"
echo OK
