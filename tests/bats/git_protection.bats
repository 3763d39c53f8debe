# SPDX-License-Identifier: Apache-2.0
# What an agent may write in one run must not open the repository, or the host, to it in the next.
load helper

box() { fabric sandbox run "$@"; }
as_user() { setpriv --reuid 1001 --regid 1001 --clear-groups --inh-caps=-all "$@"; }

repository() {
  R="$BATS_TEST_TMPDIR/r"
  git init -q "$R"
  cd "$R" || return 1
}

# Adds a hook and a common directory, which git outside would take; says what it could.
# shellcheck disable=SC2016 # for the shell inside
k_plant='
for place in . .git; do chmod 755 $place; done 2>/dev/null
{ echo evil >.git/hooks/post-commit; } 2>/dev/null && echo hook
{ echo /work/evil >.git/commondir; } 2>/dev/null && echo commondir
{ echo "[core]" >>.git/config; } 2>/dev/null && echo config
true'

@test "without a sandbox the hook, commondir and config are written" {
  repository
  expect_equal "$(sh -c "$k_plant")" $'hook\ncommondir\nconfig'
}

@test "a repository that lost its HEAD, objects or refs in one run is protected in the next" {
  requires root namespaces git
  local part
  repository
  for part in HEAD objects refs; do
    box -- mv ".git/$part" ".git/away"
    expect_equal "$(box -- sh -c "mv .git/away .git/$part; $k_plant")" ""
  done
}

@test "a bare repository and a module that lost their HEAD are protected all the same" {
  requires root namespaces git
  repository
  git init -q --bare bare.git
  mkdir -p .git/modules
  git init -q --bare .git/modules/m && rm -r .git/modules/m/hooks
  for place in bare.git .git/modules/m; do
    box -- mv "$place/HEAD" "$place/away"
    expect_equal "$(box -- sh -c "mv $place/away $place/HEAD; { echo evil >$place/hooks/update; } 2>/dev/null && echo hook; { echo x >>$place/config; } 2>/dev/null && echo config")" ""
  done
}

@test "the config of a worktree cannot be made where the repository has such configs" {
  requires root namespaces git
  repository
  git -c user.name=a -c user.email=a@b commit -q --allow-empty -m first
  git config extensions.worktreeConfig true
  git worktree add -q ../linked
  [ ! -e .git/worktrees/linked/config.worktree ]
  expect_equal "$(box -- sh -c '{ echo "[core]" >.git/worktrees/linked/config.worktree; } 2>/dev/null && echo config')" ""
  [ ! -e .git/worktrees/linked/config.worktree ]
}

@test "as an ordinary user: what was closed with chmod is not open to the next run" {
  requires root namespaces git
  local mode none="--memory none --cpu none --pids none"
  USER_DIR=$(mktemp -d /tmp/fabric-user-XXXXXX) # above bats' own directory they may not look
  chown 1001:1001 "$USER_DIR" && cd "$USER_DIR" || return 1
  for mode in 000 300 400 444 555; do
    rm -rf r && as_user git init -q r && cd r || return 1
    # shellcheck disable=SC2086
    as_user "$FABRIC" sandbox run $none -- chmod "$mode" .git
    expect_match "$(stat -c 0%a .git)" "$((10#$mode))\$"
    # shellcheck disable=SC2086
    expect_equal "$(as_user "$FABRIC" sandbox run $none -- sh -c "$k_plant")" ""
    chmod 755 .git && cd ..
  done
  cd "$WORKSPACE" && rm -rf "$USER_DIR"
}

@test "a .git file and a 'worktree' that the agent made up lead nowhere" {
  requires root namespaces
  mkdir -p "$BATS_TEST_TMPDIR/home/worktrees/proj" "$BATS_TEST_TMPDIR/home/.ssh"
  cd "$BATS_TEST_TMPDIR/home/worktrees/proj" || return 1
  echo key >../../.ssh/id
  box -- sh -c 'mkdir -p 1/2/3/4 x && ln -s ../../../../x 1/2/3/4/link && echo "gitdir: 1/2/3/4/link" >.git &&
    echo ../../.. >x/commondir && echo ../.git >x/gitdir'
  expect_equal "$(box -- sh -c 'cat 1/2/.ssh/id 2>/dev/null; find / -path "*/.ssh/id" 2>/dev/null; echo done')" "done"
}

@test "a FIFO where the pointers of a worktree are keeps nobody waiting" {
  requires root namespaces
  mkdir -p "$BATS_TEST_TMPDIR/p/worktrees/t" "$BATS_TEST_TMPDIR/other"
  cd "$BATS_TEST_TMPDIR/p/worktrees/t" || return 1
  # Beside the tree, so that it is looked at.
  box --rw "$BATS_TEST_TMPDIR/other:/other" -- sh -c "echo 'gitdir: $BATS_TEST_TMPDIR/other' >.git && mkfifo /other/commondir /other/gitdir /other/config"
  run timeout -s KILL 10 "$FABRIC" sandbox run --rw "$BATS_TEST_TMPDIR/other:/other" -- true
  expect_status 125
}

@test "two commands in one repository: the protection of one outlives the other" {
  requires root namespaces git
  repository
  box -- sh -c 'touch first; until [ -e second ]; do sleep 0.01; done' &
  wait_until 10 test -e first
  box -- sh -c "touch second; until [ -e go ]; do sleep 0.01; done; $k_plant" >"$BATS_TEST_TMPDIR/out" &
  wait %1
  [ -e .git/commondir ]
  touch go
  wait %2
  expect_equal "$(cat "$BATS_TEST_TMPDIR/out")" ""
  [ ! -e .git/commondir ] # it went with the last
}

@test "what a command that was killed left in a repository is taken away by the next" {
  requires root namespaces git
  local pid
  repository
  "$FABRIC" sandbox run -- sh -c 'touch runs; sleep 1000' 3>&- &
  pid=$!
  wait_until 10 test -e runs
  kill -9 "$pid"
  wait "$pid" || true
  [ -e .git/commondir ]
  box -- true
  [ ! -e .git/commondir ]
}

@test "many commands at once in one repository" {
  requires root namespaces git
  local pids=() i
  repository
  for i in $(seq 20); do
    "$FABRIC" sandbox run -- sh -c "$k_plant" >"out$i" 2>&1 3>&- &
    pids+=($!)
  done
  for i in "${pids[@]}"; do wait "$i"; done
  expect_equal "$(cat out*)" ""
  [ ! -e .git/commondir ]
}

@test "placeholders have ordinary modes under any umask" {
  requires root namespaces git
  repository
  rm -r .git/hooks
  (umask 777 && box -- true)
  [ ! -e .git/hooks ] && [ ! -e .git/commondir ]
  expect_equal "$(umask 777; box -- stat -c %a .git/hooks)" 755
}
