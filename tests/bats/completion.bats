load helper

candidates() { fabric __complete "$@" | cut -f1 | tr '\n' ' '; }

@test "commands, second words, options and choices are completed" {
  expect_equal "$(candidates sp)" 'spawn '
  expect_equal "$(candidates store "")" 'stat check backup compact '
  expect_equal "$(candidates schedule a --pri)" '--priority '
  expect_equal "$(candidates schedule a --priority "")" 'critical high normal low '
  expect_equal "$(candidates completion "")" 'bash zsh fish '
  expect_equal "$(candidates schedule --batch "")" ':file '
}

@test "living agents and tasks are completed, in the workspace that is meant" {
  fabric spawn coder -- true
  fabric schedule coder --id task-1 --wait >/dev/null
  expect_equal "$(candidates terminate "")" 'coder '
  expect_equal "$(candidates result t)" 'task-1 '
  expect_equal "$(candidates status "")" 'coder task-1 '
  cd /
  expect_equal "$(candidates terminate "")" ''
  expect_equal "$(candidates -C "$WORKSPACE" terminate "")" 'coder '
}

@test "nothing is offered behind --" {
  expect_equal "$(candidates spawn a -- "")" ''
}

@test "the bash adaptor offers them" {
  run --separate-stderr bash -c "PATH='$(dirname "$FABRIC")':\$PATH; source <('$FABRIC' completion bash);
    COMP_WORDS=(fabric st); COMP_CWORD=1; _fabric; echo \"\${COMPREPLY[*]}\""
  expect_equal "$output" 'status stats store'
}

@test "completion of an unknown shell is refused" {
  refused 2 'none of bash, zsh, fish' fabric completion tcsh
}
