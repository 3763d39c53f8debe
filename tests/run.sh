#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every test there is, from the top of the repository (./dev test). Prints one line a step, what
# failed in full, and last "N passed, N failed". A skipped test counts as failed.
set -u
: "${JOBS:=$(nproc)}"
export FABRIC_STRICT=1
passed=0
failed=0
names=
started=$(date +%s)

# failing NAME: said again at the end, where a log that was cut still shows it.
failing() {
  names="$names
  $1"
}

# count NAME PASSED FAILED
count() {
  passed=$((passed + $2))
  failed=$((failed + $3))
  printf '%-34s %5d passed %4d failed  %4d s\n' "$1" "$2" "$3" $(($(date +%s) - started))
}

# check NAME COMMAND...: one test, quiet when it passes.
check() {
  name=$1
  shift
  log=build/test.log
  if "$@" >"$log" 2>&1; then
    count "$name" 1 0
  else
    cat "$log"
    failing "$name"
    count "$name" 0 1
  fi
}

# build PRESET [TARGET...]: a build that fails is one failed test.
build() {
  ./dev configure-and-build "$@" || {
    failing "build $1"
    count "build $1" 0 1
    return 1
  }
}

# ctests PRESET [OPTION...]: each program of unit tests and each corpus of a fuzzer is one test.
ctests() {
  log=build/$1.ctest.log
  # Not in parallel: many of them measure time, and the machine may be small.
  preset=$1
  shift
  (cd "build/$preset" && ctest --output-on-failure --timeout 900 "$@") >"$log" 2>&1
  good=$(grep -cE '^ *[0-9]+/[0-9]+ Test .* Passed' "$log")
  all=$(sed -n 's/.*tests failed out of \([0-9]*\).*/\1/p' "$log")
  bad=$((${all:-0} - good))
  if [ "${all:-0}" = 0 ]; then bad=1; fi
  if [ "$bad" -gt 0 ]; then
    cat "$log"
    failing "ctest $preset: $(sed -n 's/^[[:space:]]*[0-9]* - \([^ ]*\) (.*/\1/p' "$log" | tr '\n' ' ')"
  fi
  count "ctest $preset" "$good" "$bad"
}

# bats_tests NAME FABRIC FILE...: half of the files each in two processes, as each test has its own
# workspace and mostly waits.
bats_tests() {
  name=$1
  export FABRIC="$2"
  shift 2
  ones=
  others=
  for file in "$@"; do
    ones="$ones $file"
    swap=$ones ones=$others others=$swap
  done
  # shellcheck disable=SC2086 # lists of words
  bats --tap $ones >build/bats.1.log 2>&1 &
  # shellcheck disable=SC2086
  bats --tap $others >build/bats.2.log 2>&1
  wait
  planned=$(cat build/bats.[12].log | sed -n 's/^1\.\.\([0-9]*\)$/\1/p' | awk '{ n += $1 } END { print n + 0 }')
  good=$(cat build/bats.[12].log | grep -E '^ok ' | grep -vc '# skip')
  bad=$((planned - good))
  if [ "$planned" = 0 ]; then bad=1; fi
  if [ "$bad" -gt 0 ]; then
    cat build/bats.[12].log | grep -vE '^(ok |1\.\.)' || true
    failing "$name: $(cat build/bats.[12].log | grep '^not ok' | tr '\n' ';')"
  fi
  count "$name" "$good" "$bad"
}

format() {
  git ls-files 'cmd/*.cpp' 'cmd/*.hpp' 'lib/*.cpp' 'lib/*.hpp' 'tests/*.cpp' 'tests/*.hpp' |
    xargs clang-format --dry-run -Werror
}

shells() {
  # SC1091: what scripts of the virtual machine source is only there.
  git ls-files '*.sh' '*.bash' dev .ci/run tests/vm/run tests/attack/run tests/attack/fuzz \
    tests/attack/scoreboard | xargs shellcheck -x -e SC1091
}

here=$PWD
check shellcheck shells
check clang-format format
check layers sh tests/lint/layers.sh .
if build release; then
  check generated tests/lint/generated.sh build/release/cmd/fabric/fabric
  ctests release
  bats_tests bats "$here/build/release/cmd/fabric/fabric" tests/bats/*.bats
  check attack tests/attack/run build/release
  grep ' blocked, ' build/test.log # how many probes, and how many could not prove anything here
  check 'attack fuzz' tests/attack/fuzz build/release 20
  for script in tests/crash/*.sh; do
    [ -x "$script" ] || continue
    check "${script##*/}" "$script" "$here/build/release/cmd/fabric/fabric"
    grep '^SKIPPED' build/test.log # what this machine cannot do is said, not hidden
  done
fi
if build asan; then
  # Without the simulated power cuts: minutes of LMDB's own code, which is not built with it.
  ctests asan --exclude-regex '^power_cut'
  # shellcheck disable=SC2046 # file names without spaces
  bats_tests 'bats asan' "$here/build/asan/cmd/fabric/fabric" \
    $(printf 'tests/bats/%s.bats ' cli spawn schedule batch run cancel recovery worker)
fi
# What has more than one thread, and the program itself.
threaded='base telemetry store egress isolation supervisor'
# shellcheck disable=SC2046,SC2086 # lists of words
if build tsan fabric fabric-init $(printf 'fabric_unit_%s ' $threaded); then
  ctests tsan --tests-regex "^unit_($(echo "$threaded" | tr ' ' '|'))\$"
  bats_tests 'bats tsan' "$here/build/tsan/cmd/fabric/fabric" tests/bats/up.bats \
    tests/bats/recovery.bats tests/bats/exec.bats
fi

if [ -n "$names" ]; then printf 'failed:%s\n' "$names"; fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
