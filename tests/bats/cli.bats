# What holds for every command: help, versions, mistakes, JSON, colour, broken outputs.
load helper

@test "fabric --version and fabric version say the same" {
  run --separate-stderr fabric --version
  expect_status 0
  expect_match "$output" '^fabric [0-9]+\.[0-9]+\.[0-9]+$'
  expect_equal "$(fabric version)" "$output"
  expect_equal "fabric $(fabric version --json | jq -r .version)" "$output"
}

@test "fabric alone explains itself on stderr and exits 2" {
  run --separate-stderr fabric
  expect_status 2
  expect_equal "$output" ""
  expect_match "$stderr" 'spawn +start an agent'
}

@test "help leads with two examples, for every command" {
  while read -r name; do
    # shellcheck disable=SC2086 # two words for some
    run --separate-stderr fabric $name --help
    expect_status 0
    expect_equal "$(sed -n 3p <<<"$output")" Examples
    expect_equal "$(grep -c '^  \$ ' <<<"$output")" 2
  done < <(fabric __man --list)
}

@test "fabric help COMMAND is the same as COMMAND --help" {
  expect_equal "$(fabric help store stat)" "$(fabric store stat --help)"
  refused 2 'no command .spwan' fabric help spwan
}

@test "an unknown command is refused and the nearest one named" {
  refused 2 'unknown command .stauts.' fabric stauts
  expect_match "$stderr" 'did you mean status\?'
  refused 2 'unknown command .store chek.' fabric store chek
  expect_match "$stderr" 'did you mean store check\?'
}

@test "commands are not abbreviated" {
  refused 2 'unknown command' fabric stat
  refused 2 'unknown command' fabric sched
}

@test "commands of later versions are unknown" {
  for name in drain pool approvals policy budget apply; do
    refused 2 'unknown command' fabric "$name"
  done
}

@test "an unknown option is refused and the nearest one named" {
  refused 2 'unknown option .--prioritee.' fabric schedule a --prioritee high
  expect_match "$stderr" 'did you mean --priority\?'
  refused 2 'unknown option' fabric schedule a --prio high
}

@test "an option without its value, given twice, or with a value it cannot have is refused" {
  refused 2 '--model needs a value' fabric spawn a --model
  refused 2 '--model is given more than once' fabric spawn a --model x --model y -- true
  refused 2 'none of none, process, container' fabric spawn a --isolation proces -- true
  expect_match "$stderr" 'did you mean process'
  refused 2 '--wait takes no value' fabric schedule a --wait=yes
}

@test "a missing and a superfluous argument are refused" {
  refused 2 'ID is missing' fabric wait
  refused 2 "unexpected argument 'b'" fabric result a b
  refused 2 "nothing may follow" fabric status -- x
}

@test "--json=FIELD,... answers with those fields; an unknown one lists what there is" {
  expect_equal "$(fabric status --json=queue | jq -r 'keys[]')" queue
  refused 2 "unknown field 'que'" fabric status --json=que
  expect_match "$stderr" 'workspace, supervisor, agents, queue'
}

@test "-C DIR works before and behind the command, and FABRIC_WORKSPACE does" {
  cd /
  expect_equal "$(fabric -C "$WORKSPACE" status --json | jq -r .workspace)" "$WORKSPACE"
  expect_equal "$(fabric status -C "$WORKSPACE/agents" --json | jq -r .workspace)" "$WORKSPACE"
  expect_equal "$(FABRIC_WORKSPACE=$WORKSPACE fabric status --json | jq -r .workspace)" "$WORKSPACE"
  refused 3 'fabric.toml|workspace' fabric -C / status
}

@test "with --json an error is still text on stderr" {
  refused 3 'task ghost not found' fabric result ghost --json
}

@test "a full disk under stdout is an error" {
  run --separate-stderr bash -c "'$FABRIC' help >/dev/full"
  expect_status 1
  expect_match "$stderr" 'No space left'
}

@test "a closed stdout is an error and lands in no file" {
  run --separate-stderr bash -c "'$FABRIC' status >&-"
  expect_status 1
  fabric store check
}

@test "a reader that went away ends it quietly" {
  run --separate-stderr bash -c "set -o pipefail; trap '' PIPE; '$FABRIC' help | true"
  expect_equal "$stderr" ""
}

@test "nothing is coloured or cut when stdout is no terminal" {
  fabric spawn a -- true
  long=$(printf 'x%.0s' {1..64})
  fabric schedule a --id "$long" --type "$long" >/dev/null
  output=$(COLUMNS=40 TERM=xterm fabric tasks)
  expect_match "$output" "$long +a +$long"
  [[ $output != *$'\e'* ]]
}

@test "on a terminal tables fit the width and are coloured, unless NO_COLOR says no" {
  requires script
  fabric spawn a -- true
  long=$(printf 'x%.0s' {1..64})
  fabric schedule a --id "$long" --wait >/dev/null
  output=$(TERM=xterm COLUMNS=72 script -qec "'$FABRIC' tasks" /dev/null </dev/null | tr -d '\r')
  [[ $output == *$'\e['* ]]
  expect_match "$output" '…'
  output=$(NO_COLOR=1 TERM=xterm COLUMNS=72 script -qec "'$FABRIC' tasks" /dev/null </dev/null | tr -d '\r')
  [[ $output != *$'\e['* ]]
  while IFS= read -r line; do [ "${#line}" -le 72 ]; done <<<"$output"
}

@test "control characters of a task cannot reach a terminal" {
  requires script
  fabric spawn a -- printf 'x\033]0;evil\007y'
  fabric schedule a --id t --type $'t\eype' --wait >/dev/null
  output=$(TERM=xterm NO_COLOR=1 script -qec "'$FABRIC' result t; '$FABRIC' status t; '$FABRIC' tasks" /dev/null </dev/null)
  [[ $output != *$'\e'* ]]
  [[ $output != *$'\a'* ]]
  expect_match "$output" 'x\^\[\]0;evil\^Gy'
}
