# SPDX-License-Identifier: Apache-2.0
# fabric top: one frame as text, and the whole terminal under tmux.
load helper

@test "top --once shows supervisor, queue, agents and newest events as plain text" {
  fabric spawn anna --kind external 2>/dev/null
  fabric schedule anna --id t1 --priority high
  fabric schedule anna --id t2 --after t1
  fabric pause --priority low
  run --separate-stderr fabric top --once
  expect_status 0
  expect_match "$output" "workspace +$WORKSPACE"
  expect_match "$output" 'supervisor +stopped: nothing starts'
  expect_match "$output" 'tasks +2 pending'
  expect_match "$output" 'ready +1 high; 1 waits'
  expect_match "$output" 'paused +priority low since .* by '
  expect_match "$output" 'anna +ready +0/1 +2'
  expect_match "$output" 'task.scheduled +t2 +anna'
  [[ $output != *$'\e'* ]]
}

@test "what is no terminal gets one frame too, and an empty workspace a word of what to type" {
  run --separate-stderr fabric top
  expect_status 0
  expect_match "$output" 'no agents yet; next: fabric spawn'
}

@test "the busiest agents stand first, with what they use" {
  fabric spawn idle -- true
  fabric spawn busy -- sh -c 'echo started; sleep 1000'
  fabric schedule busy --id t1
  wait_for_state t1 running
  fabric top --once >frame
  expect_match "$(cat frame)" 'supervisor +running since'
  expect_equal "$(grep -E '^(busy|idle) ' frame | cut -d' ' -f1 | tr '\n' ' ')" 'busy idle '
  expect_match "$(grep '^busy ' frame)" 'busy +1/1 +0 .*started t1'
}

# --- under tmux

TMUX_NAME=fabric-top

tmux_() { tmux -S "$BATS_TEST_TMPDIR/tmux" "$@"; }
screen_has() { tmux_ capture-pane -p -t "$TMUX_NAME" | grep -q -- "$1"; }
screen_lacks() { ! screen_has "$1"; }
top_pid() { pgrep -f "^$FABRIC top" -P "$(tmux_ display -p -t "$TMUX_NAME" '#{pane_pid}')"; }

# A shell of 80x24 that says how fabric top ended, and how its terminal is then.
start_top() {
  requires tmux
  tmux_ -f /dev/null new-session -d -s "$TMUX_NAME" -x 80 -y 24 \
    "stty -a >before; '$FABRIC' top; echo \$? >code; stty -a >after; echo back; read -r line"
  wait_until 10 screen_has workspace
}
stop_tmux() { tmux_ kill-server 2>/dev/null || true; }

ended_with() {
  wait_until 10 test -s code
  expect_equal "$(cat code)" "$1"
  diff <(tail -n +2 before) <(tail -n +2 after) # the first line is the size
  # The screen of before is back, with what came after it.
  wait_until 10 screen_has back
  screen_lacks workspace
  stop_tmux
}

@test "top follows what happens, fits 80x24 and ends with q" {
  fabric spawn anna --kind external 2>/dev/null
  start_top
  screen_has 'q quits'
  fabric schedule anna --id first-task 2>/dev/null
  wait_until 5 screen_has first-task
  fabric claim anna >/dev/null 2>&1
  wait_until 5 screen_has '1/1'
  expect_equal "$(tmux_ capture-pane -p -t $TMUX_NAME | awk 'length > 80' | wc -l)" 0
  tmux_ send-keys -t $TMUX_NAME q
  ended_with 0
}

@test "Ctrl-C and kill -TERM give the terminal back" {
  fabric spawn anna --kind external 2>/dev/null
  start_top
  tmux_ send-keys -t $TMUX_NAME C-c
  ended_with 130
  rm code
  start_top
  kill -TERM "$(top_pid)"
  ended_with 143
}

@test "many agents scroll with keys, and a terminal that is made smaller or larger is filled" {
  for i in {10..39}; do fabric spawn "agent$i" --kind external >/dev/null 2>&1; done
  start_top
  screen_has '^agent10 '
  screen_lacks '^agent39 '
  screen_has 'scroll: agents 1 to .* of 30'
  tmux_ send-keys -t $TMUX_NAME j
  wait_until 5 screen_lacks '^agent10 '
  tmux_ send-keys -t $TMUX_NAME G
  wait_until 5 screen_has '^agent39 '
  tmux_ send-keys -t $TMUX_NAME Up
  wait_until 5 screen_lacks '^agent39 '
  tmux_ send-keys -t $TMUX_NAME g
  wait_until 5 screen_has '^agent10 '
  tmux_ resize-window -t $TMUX_NAME -x 100 -y 60
  wait_until 5 screen_has '^agent39 '
  tmux_ resize-window -t $TMUX_NAME -x 60 -y 12
  # The line of keys tells that it has been drawn anew: at 60 lines all agents were there.
  wait_until 5 screen_has 'scroll: agents 1 to'
  screen_lacks '^agent39 '
  tmux_ send-keys -t $TMUX_NAME q
  ended_with 0
}

# --- a supervisor that does not answer

stopped_supervisor() {
  supervisor=$(supervisor_pid)
  kill -STOP "$supervisor"
}

@test "keys work while the supervisor is stopped, and the display says that it does not answer" {
  fabric spawn busy -- sleep 1000
  start_top
  stopped_supervisor
  wait_until 15 screen_has 'supervisor *does not answer'
  tmux_ send-keys -t $TMUX_NAME q
  # The shell goes on well before anybody's patience with a supervisor ends.
  code=1
  wait_until 1 test -s code && code=0
  kill -CONT "$supervisor"
  [ $code = 0 ]
  ended_with 0
}

@test "status, agents and top --once tell that the supervisor does not answer; a task needs none" {
  fabric spawn busy -- true
  fabric schedule busy --id t1
  fabric wait t1
  stopped_supervisor
  failed=
  for command in status agents 'top --once' 'status busy'; do
    # shellcheck disable=SC2086
    run --separate-stderr fabric $command
    { expect_status 0 && expect_match "$stderr" 'the supervisor does not answer'; } || failed="$command"
  done
  SECONDS=0
  run --separate-stderr fabric status t1
  { expect_status 0 && expect_equal "$stderr" '' && [ $SECONDS -le 1 ]; } || failed="status t1"
  kill -CONT "$supervisor"
  expect_equal "$failed" ''
}
