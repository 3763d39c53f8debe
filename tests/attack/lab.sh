# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Process 1 of the laboratory: see run, which starts it.
set -u
here=$(cd "$(dirname "$0")" && pwd)
: "${LAB:?}" "${NAME:?}" "${ATTACK:?}" "${BUILD:?}" "${LEVEL:?}" "${DRIVER:?}" "${ATTACKER:?}" "${ATTACK_UID:?}"
export LC_ALL=C.UTF-8 NO_COLOR=1

die() {
  printf 'tests/attack: error: %s\n' "$*" >&2
  exit 2
}

# --- the machine: what is changed is changed in memory

mount --make-rprivate / 2>/dev/null || mount -o rprivate none / 2>/dev/null
mkdir -p "$LAB/memory"
mount -t tmpfs memory "$LAB/memory" || die 'no tmpfs'
for name in etc usr var; do
  mkdir -p "$LAB/memory/$name/upper" "$LAB/memory/$name/work"
  mount -t overlay overlay \
    -o "lowerdir=/$name,upperdir=$LAB/memory/$name/upper,workdir=$LAB/memory/$name/work" "/$name" \
    2>/dev/null || [ -n "${ATTACK_THROWAWAY:-}" ] || die "cannot put a copy over /$name"
done
# Sandboxes that are not installed: packages, unpacked.
[ -z "${ATTACK_PEERS:-}" ] || cp -a "$ATTACK_PEERS"/. / || die "$ATTACK_PEERS"
# Where these are may be covered below.
mkdir "$LAB/build" "$LAB/scripts"
mount --bind "$BUILD" "$LAB/build" || die 'the build'
mount --bind "$here" "$LAB/scripts" || die 'the scripts'
cp "$ATTACK" "$LAB/attack"
# From here on it is in /srv, as /tmp becomes another.
mkdir -p /srv
mount -t tmpfs srv /srv || die '/srv'
mkdir "/srv/$NAME"
mount --rbind "$LAB" "/srv/$NAME" || die '/srv'
for name in root home run dev/shm tmp; do
  mount -t tmpfs -o mode=1777,size=1g "$name" "/$name" || die "$name"
done
lab=/srv/$NAME
BUILD=$lab/build here=$lab/scripts
mkdir -p /run/secrets "$lab"/out "$lab"/out/files "$lab"/bare "$lab"/bare/w/.fabric/run "$lab"/bare/w/.fabric/store "$lab"/bare/w/.fabric/agents/sibling/work /root/.ssh /home/attacked /run/dbus /tmp/.X11-unix /tmp/ssh-attacked
chmod 777 "$lab/bare" "$lab/out/files"
mkdir -p /var/lib /var/log /var/tmp
chmod 755 /root /root/.ssh "$lab"
chmod 755 "$lab"/out
hostname host-of-attack
echo 'a host of attacks' >/etc/machine-id
echo host-of-attack >/etc/hostname
echo "attacked:x:$ATTACK_UID:$ATTACK_UID::/home/attacked:/bin/sh" >>/etc/passwd
echo 'attacked:secret' >>/etc/shadow

# --- its network: all addresses are of loopback

ip link set lo up
for address in 10.20.30.40 10.20.30.1 169.254.169.254 100.100.100.200 168.63.129.16 1.1.1.1 8.8.8.8 192.168.1.1; do
  ip addr add $address/32 dev lo || die "address $address"
done
for address in fd00:ec2::254 64:ff9b::7f00:1 2002:7f00:1:: 2606:4700::1111; do
  ip -6 addr add $address/128 dev lo nodad 2>/dev/null || ip -6 addr add $address/128 dev lo
done
# Outside everybody may have ping sockets, so that it means something that inside nobody has.
echo '0 2147483647' >/proc/sys/net/ipv4/ping_group_range 2>/dev/null
rm -f /etc/resolv.conf
echo 'nameserver 127.0.0.1' >/etc/resolv.conf
cat >>/etc/hosts <<END
1.1.1.1 api.attacked.test listed.attacked.test a.wild.attacked.test b.wild.attacked.test bad.wild.attacked.test
8.8.8.8 other.attacked.test wild.attacked.test evilwild.attacked.test notlisted.attacked.test
8.8.8.8 listed.attacked.test.other.attacked.test
127.0.0.1 loopback.rebind.attacked.test
10.20.30.40 own.rebind.attacked.test
192.168.1.1 lan.rebind.attacked.test
169.254.169.254 metadata.rebind.attacked.test metadata.attacked.test
100.100.100.200 cgnat.rebind.attacked.test
::1 loopback6.rebind.attacked.test
64:ff9b::7f00:1 nat64.rebind.attacked.test
2002:7f00:1:: 6to4.rebind.attacked.test
fd00:ec2::254 metadata6.rebind.attacked.test
END

# --- what must not be reached

programs=/usr/local/lib/attack
if [ "$LEVEL" = container ]; then
  # A root with the program in it. The files that everybody may write are the same here and there, so
  # that it is seen when what an agent changes reaches them.
  for name in usr/bin usr/lib usr/local/lib/attack etc tmp work proc dev sys var/tmp var/lib root home run; do
    mkdir -p "$lab/tree/$name"
  done
  chmod 777 "$lab"/tree/tmp "$lab"/tree/var/tmp "$lab"/tree/home "$lab"/tree/etc "$lab"/tree/root "$lab"/tree/usr "$lab"/tree
  ln -s usr/bin "$lab"/tree/bin
  echo 'root:x:0:0:root:/root:/bin/sh' >"$lab"/tree/etc/passwd
  mkdir -p $programs
  mount --bind "$lab"/tree$programs $programs || die "$programs"
fi
mkdir -p $programs/files
chmod 777 $programs $programs/files
cp "$lab"/attack $programs/attack
cp "$lab"/attack $programs/suid
chmod 4755 $programs/suid
attack=$programs/attack
server=$($attack outside "$lab" "$ATTACK_UID") || die 'what must not be reached is not there'
export HOST_TOKEN=
injecting=
start_injecting() { # the host of a secret that is injected, with a certificate of its own
  command -v python3 >/dev/null && command -v openssl >/dev/null || return 1
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=api.attacked.test \
    -addext subjectAltName=DNS:api.attacked.test -keyout "$lab"/authority.key -out "$lab"/authority.pem 2>/dev/null || return 1
  chmod 644 "$lab"/authority.pem
  python3 "$here"/inject_server.py "$lab" >/dev/null 2>"$lab"/injecting-errors &
  injecting=$!
}
start_injecting
context() { echo "$1 $2" >>"$lab"/context; }
context workspace "$lab"/bare/w
context host_name host-of-attack
context pids 64
context nofile 16384
context memory $((256 << 20))
context tmp $((128 << 20))
context inodes 65536
context file_size $((64 << 30))
context disk $((64 << 20))
sed "s,^workspace .*,workspace $lab/w," "$lab"/context >$programs/context
chmod 644 "$lab"/context $programs/context
echo store >"$lab"/bare/w/.fabric/store/data.mdb
echo settings >"$lab"/bare/w/fabric.toml
cp "$lab"/token "$lab"/bare/w/.fabric/agents/sibling/work/token
$attack prepare "$lab" || exit 2

# flags of attack.h
OWN_TASK=1 TIME_OUT=4 LEAVES=8 SPINS=16 FLOODS=32 SIBLING=64
PATHS=0x100 GIT=0x200 EGRESS=0x400 SECRETS=0x800 DISK=0x1000 INJECT=0x2000 HOSTED=0x4000
ALL_OPTIONS=0x7f00
names() { $attack list "$1" "${2:-0}"; }
# asked NAMES: those of them that were asked for on the command line, with commas
wanted=$*
asked() {
  for name in $1; do
    if [ -z "$wanted" ]; then
      printf '%s,' "$name"
      continue
    fi
    for pattern in $wanted; do
      # shellcheck disable=SC2254 # it is a pattern
      case $name in $pattern) printf '%s,' "$name" ;; esac
    done
  done
}
# each NAMES COMMAND...: COMMAND with each name that is asked for
each() {
  list=$(asked "$1" | tr , ' ')
  shift
  for probe in $list; do "$@" "$probe"; done
}
: >"$lab"/inside
: >"$lab"/seen
: >"$lab"/pending

# --- outside

make_rules() { # what the agent `rules` finds in its work directory
  mkdir -p "$1/repo/.git/hooks" "$1/repo/.git/info" "$1/repo/.git/objects" "$1/repo/.git/refs/heads" \
    "$1/hidden" "$1/fixed" "$1/deep/open/fixed" "$1/deep/a/hidden"
  printf '[core]\n\trepositoryformatversion = 0\n' >"$1/repo/.git/config"
  echo 'ref: refs/heads/main' >"$1/repo/.git/HEAD"
  cp "$lab"/token "$1/hidden/secret"
  cp "$lab"/token "$1/deep/a/hidden/secret"
  cp "$lab"/token "$1/deep/one.key"
  echo fixed >"$1/fixed/file"
  chmod -R a+rwX "$1"
}
# host_change DIRECTORY PROBE: what happens there outside before the probe, as editors and git do it
host_change() (
  cd "$1" || exit 1
  case $2 in
    fs-host-config) cp repo/.git/config repo/.git/config.lock && mv repo/.git/config.lock repo/.git/config ;;
    fs-host-hooks) cp -r repo/.git/hooks repo/.git/others && rm -rf repo/.git/hooks && mv repo/.git/others repo/.git/hooks ;;
    fs-host-fixed) echo fixed >fixed/new && mv fixed/new fixed/file ;;
    fs-host-hidden) mkdir other && cp "$lab"/token other/secret && rm -rf hidden && mv other hidden ;;
    fs-host-later) rm -rf hidden-later && mkdir hidden-later && cp "$lab"/token hidden-later/secret ;;
    fs-glob-late) cp "$lab"/token deep/two.key ;;
    fs-glob-late-directory) mkdir late && cp "$lab"/token late/three.key ;;
  esac
  chmod -R a+rwX . 2>/dev/null
  chown -R "$3" . 2>/dev/null
)
wait_for() { # WHAT COMMAND...: until it succeeds, 10 s
  what=$1 tries=200
  shift
  until "$@"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || die "no $what: $(cat "$lab"/injecting-errors)"
    sleep 0.05
  done
}
outside() {
  [ -z "$injecting" ] || wait_for 'host of the secret' test -e "$lab"/injecting
  cd "$lab"/bare || exit 2
  all=$(asked "$(names 0 $((PATHS | GIT | HOSTED)))")
  [ -z "$all" ] || $attack with "$lab" 0 $attack bare "$lab" "$ATTACK_UID" "$all" >"$lab"/bare-words 2>"$lab"/bare-errors || echo "bare: exit $?" >>"$lab"/bare-errors
  # These change what the next one finds.
  for probe in $(asked "$(names $GIT; names $PATHS; names $HOSTED)" | tr , ' '); do
    rm -rf "$lab"/bare/rules
    make_rules "$lab"/bare/rules
    host_change "$lab"/bare/rules "$probe" "$ATTACK_UID"
    chown -R "$ATTACK_UID" "$lab"/bare/rules
    cd "$lab"/bare/rules && $attack bare "$lab" "$ATTACK_UID" "$probe" >>"$lab"/bare-words
  done
  cd / || exit 2
  mv "$lab"/bare-words "$lab"/bare-lines
  rm -rf "$lab"/bare
  mv "$lab"/bare-lines "$lab"/bare
  [ ! -s "$lab"/bare-errors ] || cat "$lab"/bare-errors >&2
}
if [ -z "${FUZZ_SECONDS:-}" ]; then
  outside
  $attack check "$lab" >/dev/null
  $attack prepare "$lab"
fi
: >"$lab"/hits

# --- inside

# shellcheck source=/dev/null
. "$here/drivers.sh"
: "${missing:?}" "${at_once:?}"
if [ "$ATTACKER" = 0 ]; then
  as() { $attack with "$lab" 0 "$@"; }
else
  # Without a group of his own a limit that is asked for is refused, not left out.
  without_groups=
  if [ "$DRIVER" = fabric ]; then
    mkdir "$lab/undelegated"
    chown "$ATTACKER" "$lab/undelegated"
    code=0
    # shellcheck disable=SC2016 # for that shell
    (cd "$lab/undelegated" && $attack with "$lab" "$ATTACKER" env XDG_STATE_HOME="$lab/undelegated" HOME="$lab" \
      sh -c '"$0" init && exec "$0" spawn a --memory 32M -- true' "$BUILD/cmd/fabric/fabric") >/dev/null 2>&1 || code=$?
    [ $code = 9 ] || without_groups="a memory limit without a cgroup: exit code $code, not 9"
  fi
  for group in ${ATTACK_GROUPS:-}; do
    echo $$ >"$group/cgroup.procs" || die "joining $group"
  done
  as() { $attack with "$lab" "$ATTACKER" "$@"; }
fi

word='^[a-z0-9-]* \(BLOCKED\|SUCCEEDED\|TRIED\|UNAVAILABLE\) '
take() { grep -a "$word" | grep -av '^$' >>"$lab"/inside; }
look() { $attack check "$lab" >>"$lab"/seen; }

batch() { # NAMES [AGENT]
  for list in $(asked "$1" | tr , '\n' | xargs -r -n "$at_once" | tr ' ' ,); do
    inside "${2:-plain}" 60 "$list" | take
  done
}
alone() { # AGENT SECONDS PROBE
  inside "$1" "$2" "$3" >"$lab"/output
  take <"$lab"/output
  grep -aq "^$3 " "$lab"/inside || ended "$3"
  case " $leaving" in *" $3 "*) look ;; esac
}
# A probe that says nothing was ended, or is broken: only some may be (MAY_DIE is 2).
ended() {
  case " $mortal" in *" $1 "*) echo "$1 BLOCKED ended: $(why_ended)" >>"$lab"/inside ;; esac
}
flooded() {
  : >"$lab"/flood
  inside flood 20 "$1" >"$lab"/flood 2>&1
  echo "$1 TRIED its last word is not kept" >>"$lab"/inside
  if [ "$(kept_output)" -gt $((4 << 20)) ]; then echo "$1 kept $(kept_output) bytes" >>"$lab"/seen; fi
  : >"$lab"/flood
}
mortal=$(names 2 | tr '\n' ' ')
leaving=$(names $LEAVES | tr '\n' ' ')

pending() { # FLAG WHY
  for probe in $(names "$1"); do echo "$probe $2" >>"$lab"/pending; done
}

if [ -n "${FUZZ_SECONDS:-}" ]; then
  driver_prepare || die "$DRIVER does not start: $(cat "$lab"/spawned 2>/dev/null)"
  # shellcheck source=/dev/null
  . "$here/fuzz.sh"
  exit $?
fi
if [ "$DRIVER" = firejail ] && firejail_does_nothing; then die "firejail does nothing here: $(cat "$lab"/spawned)"; fi
driver_prepare || { die "$DRIVER does not start: $(cat "$lab"/spawned 2>/dev/null)"; }
batch "$(names 0 $((OWN_TASK | ALL_OPTIONS)))"
look
own=$(names $OWN_TASK $((TIME_OUT | SPINS | FLOODS | SIBLING | ALL_OPTIONS)))
each "$own" alone plain 20
each "$(names $SPINS)" alone spin 20
if agent_flood; then each "$(names $FLOODS)" flooded; else pending $FLOODS 'its output is its caller'"'"'s'; fi
each "$(names $TIME_OUT)" alone plain 1
look
if [ -n "$(asked "$(names $SIBLING)")" ]; then
  if sibling_start; then each "$(names $SIBLING)" alone pair 20; else pending $SIBLING 'no two attempts at once'; fi
  sibling_stop
fi
after_host() {
  host_change "$lab"/rules "$1" "$ATTACKER"
  alone rules 20 "$1"
}
if agent_rules; then
  each "$(names $GIT; names $PATHS)" alone rules 20
  each "$(names $HOSTED)" after_host
else
  for flag in $GIT $PATHS $HOSTED; do pending "$flag" "$missing"; done
fi
unreached=
if agent_egress; then
  batch "$(names $EGRESS $OWN_TASK)" egress
  # With a list of hosts, all that has nothing to do with it stays shut.
  batch "$(names 0 $((OWN_TASK | ALL_OPTIONS)) | grep '^net-')" egress
elif [ -n "$unreached" ]; then # a fault, not a lack
  for probe in $(names $EGRESS); do echo "$probe UNAVAILABLE $unreached" >>"$lab"/inside; done
else
  pending $EGRESS "$missing"
fi
if agent_disk; then each "$(names $DISK)" alone disk 20; else pending $DISK "$missing"; fi
if agent_keys; then batch "$(names $SECRETS)" keys; else pending $SECRETS "$missing"; fi
if [ -n "$injecting" ]; then
  if agent_inject; then batch "$(names $INJECT)" inject; else pending $INJECT "$missing"; fi
else
  pending $INJECT 'no python3 or openssl'
fi
dishonest=0
if [ "$DRIVER" = fabric ] && [ -z "$wanted" ]; then
  # shellcheck source=/dev/null
  . "$here/honesty.sh" >"$lab"/honesty
fi
driver_finish
if [ -e "$lab"/rules/fixed-later ]; then echo 'THROUGH   hon-no-leftover: fixed-later is still there' >>"$lab"/honesty && dishonest=1; fi
look
# Whoever was reached has written it down.
cat "$lab"/hits >>"$lab"/seen
kill "$server" $injecting 2>/dev/null

if [ "$ATTACKER" = 0 ]; then who=root; else who='an ordinary user'; fi
echo "== $DRIVER, level $LEVEL, started by $who"
[ -z "${KEEP:-}" ] || { mkdir -p "$KEEP/$ATTACKER"; cp "$lab"/bare "$lab"/inside "$lab"/seen "$lab"/pending "$KEEP/$ATTACKER/"; }
status=0
$attack judge "$lab" "$LEVEL" ${VERBOSE:+-v} || status=1
if [ -n "${without_groups:-}" ]; then
  echo "THROUGH   hon-no-cgroup: $without_groups"
  status=1
fi
[ ! -s "$lab"/honesty ] || cat "$lab"/honesty
[ $status = 0 ] && [ "$dishonest" = 0 ]
