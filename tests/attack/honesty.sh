# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# After the attacks: whether fabric has said what it did. lab.sh loads this when all probes have run.
: "${lab:?}" "${attack:?}" "${ATTACKER:?}"
dishonest=0
# honest NAME COMMAND...: COMMAND succeeds, or its output is the reason why it is not so.
honest() {
  name=$1
  shift
  if ! reason=$("$@" 2>&1); then
    printf 'THROUGH   %-26s -     %s\n' "$name" "$reason"
    dishonest=$((dishonest + 1))
  fi
}

# Each kind of refusal that the probes have met is a violation, with a rule, and from a source.
violation_told() {
  grep -q "\"kind\":\"$1\"" "$lab"/violations || { echo "no violation of the kind $1"; return 1; }
  if grep "\"kind\":\"$1\"" "$lab"/violations | grep -q '"rule":""'; then echo "$1 without a rule"; return 1; fi
}
fabric violations --json >"$lab"/violations 2>/dev/null
for kind in call connect name memory pids output; do honest "hon-violation-$kind" violation_told $kind; done
honest hon-violation-agent sh -c "! grep '\"agent\":null' '$lab/violations'"

# The secrets of agents are in no state, log or argument. That the search finds them is seen by the
# one that was put into a work directory.
secret_search() { grep -rlF "$(cat "$lab"/token)" "$lab"/w "$lab"/state 2>/dev/null; }
secrets_nowhere() {
  found=$(secret_search)
  case $found in *agents/sibling/work/token*) ;; *) echo 'the search finds nothing'; return 1 ;; esac
  found=$(printf '%s\n' "$found" | grep -v 'agents/sibling/work/token')
  [ -z "$found" ] || { echo "a secret in $found"; return 1; }
  if grep -lsF "$(cat "$lab"/token)" /proc/[0-9]*/cmdline; then return 1; fi
}
honest hon-secret-state secrets_nowhere

# What is promised is kept: doctor tries it in a sandbox of its own.
promises_kept() {
  fabric doctor --json=proofs >"$lab"/proofs 2>&1
  grep -q '"verdict":"holds"' "$lab"/proofs || { echo "nothing is proved: $(head -c 300 "$lab"/proofs)"; return 1; }
  if grep -o '{[^{}]*"verdict":"broken"[^{}]*}' "$lab"/proofs; then return 1; fi
}
honest hon-displayed promises_kept

# What is no attack works: programs that wall themselves in.
nests() {
  # Where the kernel has no Landlock there is nothing to see.
  "$attack" nest x 2>&1 | grep -q NESTED || return 0
  fabric run plain --timeout 10s --payload '{"mode":"nest","probes":""}' 2>&1 | grep NESTED
}
honest hon-landlock-nests nests
