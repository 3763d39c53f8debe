# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# shellcheck disable=SC2034 # lab.sh reads $missing, $unreached and $at_once
# How each sandbox is started. lab.sh loads this. A driver has
#   driver_prepare, driver_finish
#   inside AGENT SECONDS NAMES   runs probes, prints what they say, returns when it is over
#   agent_rules, agent_egress, agent_disk, agent_flood   make these agents, or say in $missing what is missing
#   sibling_start, sibling_stop  another attempt of the agent `pair`
#   why_ended, kept_output       of the last task; bytes kept of the output of `flood`
: "${lab:?}" "${attack:?}" "${LEVEL:?}" "${BUILD:?}" "${DRIVER:?}" "${ATTACKER:?}"
missing='not with this driver'
context_file=/usr/local/lib/attack/context
at_once=10000 # names in one argument

agent_rules() { false; }
agent_egress() { false; }
agent_keys() { false; }
agent_inject() { false; }
agent_disk() { false; }
agent_flood() { false; }
sibling_start() { false; }
sibling_stop() { :; }
why_ended() { echo "exit code $(cat "$lab"/code)"; }
kept_output() { wc -c <"$lab"/flood; }
driver_prepare() {
  mkdir -p "$lab"/w/.fabric/store "$lab"/work
  echo data >"$lab"/w/.fabric/store/data.mdb
  chmod -R a+rwX "$lab"/work
  chown -R "$ATTACKER" "$lab"/work "$lab"/w
}
driver_finish() { :; }

# --- fabric: agents of a workspace

if [ "$DRIVER" = fabric ]; then
  fabric() { (cd "$lab"/w && as env XDG_STATE_HOME="$lab"/state HOME="$lab" "$BUILD/cmd/fabric/fabric" "$@"); }
  # agent NAME LINE...: its definition, with these lines of TOML in front
  agent() {
    name=$1
    shift
    mkdir -p "$lab/w/agents/$name"
    {
      printf '%s\n' "$@"
      printf 'command = ["%s", "{payload.mode}", "%s", "{payload.probes}"]\n' "$attack" $context_file
      printf 'grace = "300ms"\n[isolation]\nlevel = "%s"\n' "$LEVEL"
      [ "$LEVEL" != container ] || printf 'root = "%s/tree"\n' "$lab"
      cat "$lab/limits.$name" 2>/dev/null || cat "$lab"/limits
    } >"$lab/w/agents/$name/agent.toml"
    chown -R "$ATTACKER" "$lab"/w/agents
    fabric spawn "$name" >"$lab"/spawned 2>&1
  }
  driver_prepare() {
    mkdir -p "$lab"/w "$lab"/state
    chown "$ATTACKER" "$lab"/w "$lab"/state
    fabric init >"$lab"/spawned 2>&1 || return 1
    # The suite is not held back because the machine is busy.
    {
      printf '[scheduler]\npressure_cpu = "none"\npressure_memory = "none"\n'
      [ ! -e "$lab"/authority.pem ] || printf '[egress]\nauthorities = "%s/authority.pem"\n' "$lab"
    } >"$lab"/w/fabric.toml
    chown "$ATTACKER" "$lab"/w/fabric.toml
    printf 'memory_mb = 256\npids = 64\n' >"$lab"/limits
    { cat "$lab"/limits; echo 'cpu_cores = 0.2'; } >"$lab"/limits.spin
    agent plain || return 1
    agent spin || return 1
    agent flood 'max_output = "1M"' || return 1
    agent sibling || return 1
    cp "$lab"/token "$lab"/w/.fabric/agents/sibling/work/token
  }
  driver_finish() { fabric down >/dev/null 2>&1; }
  : >"$lab"/tasks
  inside() {
    # In a pipeline this is a subshell: the number is kept in a file.
    task=t$(($(wc -l <"$lab"/tasks) + 1))
    echo $task >>"$lab"/tasks
    code=0
    fabric run "$1" --id $task --timeout "$2s" --payload "{\"mode\":\"run\",\"probes\":\"$3\"}" 2>"$lab"/errors || code=$?
    if [ $code = 125 ]; then cat "$lab"/errors >&2; fi
  }
  why_ended() {
    fabric status "$(tail -n 1 "$lab"/tasks)" --json=state,reason 2>/dev/null | tr -d '{}"'
  }
  kept_output() {
    find "$lab"/w/.fabric -type f ! -name '*.mdb' -size +1024k -exec wc -c {} + | awk '{ if ($1 > most) most = $1 } END { print most + 0 }'
  }
  sibling_start() {
    agent pair 'max_concurrent_tasks = 2' || return 1
    fabric schedule pair --id sibling --payload '{"mode":"sibling","probes":""}' >/dev/null || return 1
    tries=100
    until [ -s "$lab"/w/.fabric/agents/pair/work/sibling-pid ]; do
      tries=$((tries - 1))
      [ $tries -gt 0 ] || return 1
      sleep 0.1
    done
  }
  sibling_stop() { fabric cancel sibling >/dev/null 2>&1; }
  optional() { # NAME LINE...: an agent that needs an option
    agent_name=$1
    shift
    { cat "$lab"/limits; printf '%s\n' "$@"; } >"$lab/limits.$agent_name"
    agent "$agent_name" && return 0
    missing=$(sed -n 's/^fabric: error: //p' "$lab"/spawned | head -n 1)
    return 1
  }
  agent_rules() {
    mkdir -p "$lab"/rules
    make_rules "$lab"/rules
    chown -R "$ATTACKER" "$lab"/rules
    optional rules "work = \"$lab/rules\"" 'hide = ["/work/hidden", "/work/hidden-later", "/work/deep/a/hidden", "/work/**/*.key"]' \
      'no_write = ["/work/fixed", "/work/fixed-later", "/work/deep/open/fixed"]'
  }
  agent_egress() {
    # All that a name is here is the host's own: +private, except where that is attacked.
    optional egress 'egress = ["listed.attacked.test+private", "*.wild.attacked.test:443+private", "!bad.wild.attacked.test", "*.rebind.attacked.test", "metadata.attacked.test+private"]' || return 1
    # What is listed has to be reachable, else a refusal proves nothing.
    unreached=$(fabric run egress --timeout 20s --payload '{"mode":"control","probes":""}' 2>&1)
    if [ "$unreached" = REACHED ]; then unreached=; else unreached="what is listed cannot be reached: $unreached" && return 1; fi
  }
  agent_keys() { optional keys "secrets = [\"key=file:$lab/token\"]"; }
  agent_inject() {
    optional inject 'egress = ["api.attacked.test:8443+private"]' "secrets = [\"key=file:$lab/token\"]" \
      'inject = ["api=api.attacked.test:8443,secret=key"]'
  }
  agent_flood() { :; }
  agent_disk() { optional disk 'disk = "64M"'; }
fi

# --- one command each. The directory /work is $lab/work; 256 MiB and 64 processes where it can be said.

command_driver() { # COMMAND... before the program
  # Its descriptors are the caller's: pipes, as those of a caller who has secrets would be.
  { (cd "$lab"/work && as timeout -s KILL "$seconds" "$@" "$attack" run $context_file "$probes"); echo $? >"$lab"/code; } 2>&1 |
    timeout -s KILL $((seconds + 2)) cat # some leave processes behind, which hold it open
}
if [ "$DRIVER" = sandbox_run ]; then
  egress_rules='--egress listed.attacked.test+private --egress *.wild.attacked.test:443+private --egress !bad.wild.attacked.test
    --egress *.rebind.attacked.test --egress metadata.attacked.test+private'
  options_of() {
    case $1 in
      spin) echo '--cpu 0.2' ;;
      keys) echo "--secret key=file:$lab/token" ;;
      disk) echo '--disk 64M' ;;
      egress) echo "$egress_rules" ;;
      rules) echo '--hide /work/hidden --hide /work/hidden-later --hide /work/deep/a/hidden --hide /work/**/*.key
        --no-write /work/fixed --no-write /work/fixed-later --no-write /work/deep/open/fixed' ;;
    esac
    [ "$LEVEL" != container ] || echo "--root $lab/tree"
  }
  inside() {
    seconds=$(($2 + 10)) probes=$3 work=$lab/work
    [ "$1" != rules ] || work=$lab/rules
    set -f # what they hold is no pattern of ours
    # shellcheck disable=SC2046 # words
    command_driver "$BUILD/cmd/fabric/fabric" sandbox run --isolation "$LEVEL" --memory 256M --pids 64 $(options_of "$1") \
      --work "$work" --timeout "$2s" --
    set +f
  }
  # can_have AGENT: whether its options are served.
  can_have() {
    set -f
    # shellcheck disable=SC2046
    missing=$(as "$BUILD/cmd/fabric/fabric" sandbox run --isolation "$LEVEL" --work "$lab/work" $(options_of "$1") -- "$attack" list 2>&1 >/dev/null) && missing=
    set +f
    missing=$(echo "$missing" | sed -n 's/^fabric: error: //p')
    [ -z "$missing" ]
  }
  agent_rules() {
    mkdir -p "$lab"/rules
    make_rules "$lab"/rules
    chown -R "$ATTACKER" "$lab"/rules
    can_have rules
  }
  agent_keys() { can_have keys; }
  agent_inject() { missing='not for a single command' && false; }
  agent_disk() { can_have disk; }
  agent_egress() {
    can_have egress || return 1
    set -f
    # shellcheck disable=SC2046
    unreached=$(as timeout 20 "$BUILD/cmd/fabric/fabric" sandbox run --isolation "$LEVEL" --work "$lab/work" $(options_of egress) -- "$attack" control $context_file 2>&1)
    set +f
    if [ "$unreached" = REACHED ]; then unreached=; else unreached="what is listed cannot be reached: $unreached" && return 1; fi
  }
fi
# As its manual page shows it, with the network taken away as well.
if [ "$DRIVER" = bwrap ]; then
  inside() {
    seconds=$2 probes=$3
    command_driver bwrap --ro-bind /usr /usr --dir /tmp --dir /var --symlink ../tmp var/tmp --proc /proc --dev /dev \
      --ro-bind /etc/resolv.conf /etc/resolv.conf --symlink usr/lib /lib --symlink usr/lib64 /lib64 \
      --symlink usr/bin /bin --symlink usr/sbin /sbin --bind "$lab"/work /work --chdir /work --unshare-all \
      --die-with-parent
  }
fi
# As its manual page shows it for a program of the host, with limits.
if [ "$DRIVER" = nsjail ]; then
  inside() {
    seconds=$(($2 + 5)) probes=$3
    command_driver nsjail -Mo -q --user 99999 --group 99999 -R /usr -R /lib -R /lib64 -R /bin -R /dev/null -R /dev/urandom \
      -T /tmp -B "$lab"/work:/work --cwd /work -t "$2" --rlimit_as 512 --
  }
fi
if [ "$DRIVER" = firejail ]; then
  at_once=100 # it takes no longer arguments
  # In a pid namespace it takes itself to be in a sandbox already, and only starts the program.
  firejail_does_nothing() { firejail --noprofile true 2>&1 | grep 'existing sandbox' >"$lab"/spawned; }
  inside() {
    seconds=$(($2 + 5)) probes=$3
    command_driver firejail --quiet --noprofile --private="$lab"/work --private-dev --private-tmp --net=none --caps.drop=all \
      --seccomp --nonewprivs --nogroups --
  }
fi
