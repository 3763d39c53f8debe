# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What lab.sh does in place of the attacks when tests/attack/fuzz started it.
: "${lab:?}" "${attack:?}" "${server:?}" "${BUILD:?}" "${FUZZ_SECONDS:?}" "${FUZZ_SEED:?}"

# Settings that count or change by themselves.
volatile='fs/quota/\|random/\|/nr_\|_nr$\|-nr$\|nr$\|inode-\|dentry-state\|file-nr\|ns_last_pid\|pty/nr\|/aio-nr\|conntrack_count\|keys/gc\|perf_event_max_sample_rate\|perf_cpu_time'
manifest() {
  # Names, sizes, modes, owners and times of files; not of what the supervisor itself writes. No count
  # of links: another name would be in the same file system, so in this list, and perf(1) of somebody
  # else makes some outside. Nor the time of /var/tmp, where everybody makes files; those are listed.
  find /etc /usr /var /root /home "$lab/out" -xdev -maxdepth 3 ! -path /var/tmp -printf '%p %y %s %m %U %G %T@\n' 2>/dev/null | sort
  cat /proc/self/mountinfo
  grep -rs '' /proc/sys 2>/dev/null | grep -av "$volatile" | sort
  # Processes of the laboratory: the supervisor, the init, what listens.
  for process in /proc/[0-9]*; do
    case $(cat "$process/comm" 2>/dev/null) in fabric | fabric-init | attack) echo "$process $(cat "$process/comm")" ;; esac
  done
  hostname
  find /sys/fs/cgroup -type d -path "*$("$attack" cgroup-name "$lab/w")*" | sort
  dmesg 2>/dev/null | grep -c 'BUG:\|Oops:\|general protection fault, \|soft lockup' # of the kernel, not of programs
  ip addr
  ip route show table all
}
# How far the clock is from the one that cannot be set.
clock() { echo $(($(date +%s) - $(cut -d. -f1 /proc/uptime))); }

cp "$lab/build/tests/attack/fuzz_syscalls" /usr/local/lib/attack/fuzz_syscalls
mkdir -p "$lab/w/agents/fuzz"
printf 'command = ["/usr/local/lib/attack/fuzz_syscalls", "%s", "%s"]\ngrace = "300ms"\n[isolation]\nlevel = "%s"\nmemory_mb = 256\npids = 64\n' \
  "$FUZZ_SECONDS" "$FUZZ_SEED" "$LEVEL" >"$lab/w/agents/fuzz/agent.toml"
chown -R "$ATTACKER" "$lab/w/agents"
# Once for a second: what the first task of an agent makes is there then.
fabric run plain --id before --payload '{"mode":"run","probes":"fs-read-secret"}' >/dev/null
manifest >"$lab/before"
clock_before=$(clock)
# In pieces of 20 s, each in a sandbox of its own: what a piece leaves in /tmp counts as memory.
failed=0 left=$FUZZ_SECONDS piece=0
while [ "$left" -gt 0 ]; do
  seconds=$((left < 20 ? left : 20))
  left=$((left - seconds))
  piece=$((piece + 1))
  sed -i "s/fuzz_syscalls.*/fuzz_syscalls\", \"$seconds\", \"$((FUZZ_SEED + piece))\"]/" "$lab/w/agents/fuzz/agent.toml"
  fabric spawn fuzz >/dev/null 2>&1 || exit 2
  code=0
  fabric run fuzz --id "fuzzing-$piece" --timeout "$((seconds + 10))s" 2>/dev/null || code=$?
  how=$(fabric status "fuzzing-$piece" --json=state,reason)
  case $code:$how in
    0:*) ;;
    *'"memory"'*) echo "piece $piece met its memory limit" ;; # the wall held
    *) echo "piece $piece ended with $code: $how" && failed=1 ;;
  esac
  fabric terminate fuzz >/dev/null || exit 2
done
manifest >"$lab/after"
if ! diff "$lab/before" "$lab/after"; then
  echo 'changed outside: see above'
  failed=1
fi
drift=$(($(clock) - clock_before))
if [ $drift -gt 2 ] || [ $drift -lt -2 ]; then
  echo "the clock was set by $drift s"
  failed=1
fi
# The same sandbox serves on.
fabric run plain --id after --payload '{"mode":"run","probes":"fs-read-secret"}' | grep -q BLOCKED ||
  { echo 'the supervisor does not serve'; failed=1; }
[ -s "$lab/hits" ] && grep -v '^with ' "$lab/hits" && { echo 'something was reached'; failed=1; }
fabric down >/dev/null 2>&1
kill "$server" 2>/dev/null
[ $failed = 0 ] && echo "fuzzed for $FUZZ_SECONDS s, seed $FUZZ_SEED: nothing has changed outside"
return $failed
