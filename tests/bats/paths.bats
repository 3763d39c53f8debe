# SPDX-License-Identifier: Apache-2.0
# What an agent sees and may change of the host: --ro, --rw, --work, --hide, --no-write, git.
load helper

# A directory outside of the workspace, as a user's project is.
project() {
  P="$BATS_TEST_TMPDIR/project"
  mkdir -p "$P/src" "$P/secrets"
  echo source >"$P/src/a.c"
  echo token >"$P/secrets/key"
  echo env >"$P/.env"
}

# Everything of the project: what is there, whose, which mode, with which content.
listing() {
  (cd "$P" && find . -printf '%p %y %U:%G %m %s %l\n' | sort && find . -type f -exec sha256sum {} + | sort -k2)
}

git_project() {
  project
  git -C "$P" init -q -b main
  git -C "$P" config user.name tester
  git -C "$P" config user.email tester@localhost
  git -C "$P" add -A
  git -C "$P" commit -q -m first
}

@test "--ro shows a directory that cannot be changed" {
  requires root namespaces
  project
  fabric spawn a --ro "$P" --ro "$P/src/a.c:/one.c" -- sh -c "cat '$P/src/a.c' /one.c; echo evil >'$P/src/a.c' || echo refused; rm -f /one.c || echo refused; touch '$P/new' || echo refused"
  expect_equal "$(fabric run a 2>/dev/null)" $'source\nsource\nrefused\nrefused\nrefused'
  expect_equal "$(cat "$P/src/a.c")" source
  [ ! -e "$P/new" ]
}

@test "--rw: what the agent makes belongs to the owner of the directory" {
  requires root namespaces
  project
  chown -R 4321:8765 "$P"
  fabric spawn a --rw "$P:/project" -- sh -c 'cd /project && echo changed >src/a.c && mkdir new && echo x >new/file && mv src/a.c new/a.c && id -u'
  [ "$(fabric run a)" -ge 100000 ]
  expect_equal "$(cat "$P/new/a.c")" changed
  expect_equal "$(stat -c %u:%g "$P/new" "$P/new/file")" $'4321:8765\n4321:8765'
  # Nothing above it.
  fabric spawn b --rw "$P:/project" -- sh -c 'ls -d /tmp/* /root /home /project/../work 2>/dev/null'
  expect_equal "$(fabric run b 2>/dev/null)" /project/../work
}

@test "--work: a directory of the host is /work, and the current directory" {
  requires root namespaces
  project
  fabric spawn a --work "$P" -- sh -c 'pwd; ls; echo made >file'
  expect_equal "$(fabric run a)" $'/work\nsecrets\nsrc'
  expect_equal "$(cat "$P/file")" made
  [ ! -e .fabric/agents/a/work/file ]
}

@test "relative paths of options are taken from the current directory" {
  requires root namespaces
  mkdir data
  echo x >data/file
  fabric spawn a --ro data:/data -- cat /data/file
  expect_equal "$(fabric run a)" x
}

@test "the stricter and the more specific rule wins" {
  requires root namespaces
  project
  mkdir -p "$P/src/deep/out"
  fabric spawn a --rw "$P:/p" --ro "$P/src:/p/src" --rw "$P/src/deep/out:/p/src/deep/out" --ro "$P:/same" --rw "$P:/same" -- \
    sh -c 'touch /p/x && echo 1; touch /p/src/x || echo 2; touch /p/src/deep/x || echo 3; touch /p/src/deep/out/x && echo 4; touch /same/x || echo 5; mv /p/src /p/src2 || echo 6'
  expect_equal "$(fabric run a 2>/dev/null)" $'1\n2\n3\n4\n5\n6'
  [ -e "$P/src/deep/out/x" ] && [ ! -e "$P/src/x" ]
}

@test "what is hidden is not there, nor can it be made, moved or uncovered" {
  requires root namespaces
  project
  before=$(listing)
  fabric spawn a --work "$P" --hide /work/secrets --hide /work/.env --hide /work/later -- sh -c '
    cat secrets/key .env; ls secrets
    mv secrets s2; mv .env e2; rm -rf secrets .env; rmdir secrets; true >.env; echo x >secrets/new
    ln secrets/key k; cat k; ln -s secrets/key l; cat l; mkdir later; true >later; rm -f later; mv later x
    umount secrets; chmod 777 secrets .env later; cat secrets/key .env later; echo end'
  expect_equal "$(fabric run a 2>/dev/null)" end
  rm -f "$P/l"
  fabric terminate a
  expect_equal "$(listing)" "$before"
}

@test "a rule inside of what is hidden shows only itself" {
  requires root namespaces
  project
  mkdir "$P/secrets/public"
  echo seen >"$P/secrets/public/file"
  fabric spawn a --work "$P" --hide /work/secrets --rw "$P/secrets/public:/work/secrets/public" -- \
    sh -c 'cat secrets/public/file; echo x >secrets/public/new; cat secrets/key; touch secrets/x; echo end'
  expect_equal "$(fabric run a 2>/dev/null)" $'seen\nend'
  [ -e "$P/secrets/public/new" ] && [ ! -e "$P/secrets/x" ]
}

@test "--no-write: not changed, removed, replaced, nor reached by renaming what it is in" {
  requires root namespaces
  project
  mkdir -p "$P/a/b"
  echo keep >"$P/a/b/file"
  fabric spawn a --work "$P" --no-write /work/a/b/file --no-write /work/src --no-write /work/a/absent/deep -- sh -c '
    echo evil >a/b/file; rm -f a/b/file; mv a/b/file x; echo evil >y; mv y a/b/file; mv a a2; mv a/b c; touch src/new
    ln a/b/file h && echo evil >h
    mkdir -p a/absent/deep/x; rm -rf a/absent; mv a/absent z
    python3 -c "import ctypes; libc = ctypes.CDLL(None); libc.renameat2(-100, b\"a\", -100, b\"secrets\", 2)"
    touch a/b/other a/other; cat a/b/file'
  expect_equal "$(fabric run a 2>/dev/null)" keep
  expect_equal "$(cat "$P/a/b/file")" keep
  [ -e "$P/a/b/other" ] && [ -e "$P/a/other" ] && [ ! -e "$P/src/new" ]
  fabric terminate a
  [ ! -e "$P/a/absent" ]
}

@test "patterns hide what matches, at any depth" {
  requires root namespaces
  project
  mkdir -p "$P/x/y"
  echo 1 >"$P/x/y/id.pem"
  echo 2 >"$P/x/id.pem"
  echo 3 >"$P/x/y/id.txt"
  fabric spawn a --work "$P" --hide '/work/**/*.pem' --hide '/work/.en?' -- sh -c 'cat x/y/id.pem x/id.pem .env x/y/id.txt'
  run --separate-stderr fabric run a
  expect_equal "$output" 3
}

@test "what matches a pattern and appears later is hidden and protected from the next task on" {
  requires root namespaces
  project
  mkdir "$P/x"
  # Read-only, and hidden as a whole: what matches there is as it should be.
  mkdir "$BATS_TEST_TMPDIR/fixed" && echo lock >"$BATS_TEST_TMPDIR/fixed/a.lock"
  fabric spawn a --work "$P" --ro "$BATS_TEST_TMPDIR/fixed:/fixed" --hide '/work/**/*.pem' --no-write '/**/*.lock' -- \
    sh -c 'cat x/id.pem x/new/id.pem x/link; cat x/a.lock; echo evil >x/a.lock; rm -f x/a.lock; echo mine >own.lock; ln -s id.pem x/link; echo end'
  expect_equal "$(fabric run a 2>/dev/null)" end
  [ -e "$P/own.lock" ] && [ ! -e "$P/x/a.lock" ]
  mkdir "$P/x/new"
  echo key | tee "$P/x/id.pem" >"$P/x/new/id.pem"
  echo lock >"$P/x/a.lock"
  first=$(fabric agents --json | jq '.[0].pid')
  expect_equal "$(fabric run a 2>/dev/null)" $'lock\nend'
  expect_equal "$(cat "$P/x/a.lock" "$P/own.lock" "$P/x/id.pem")" $'lock\nmine\nkey'
  # Made again once, and not for ever.
  second=$(fabric agents --json | jq '.[0].pid')
  [ "$first" != "$second" ]
  expect_equal "$(fabric run a 2>/dev/null)" $'lock\nend'
  expect_equal "$(fabric agents --json | jq '.[0].pid')" "$second"
}

@test "links that an agent may have made lead nowhere" {
  requires root namespaces
  project
  ln -s "$WORKSPACE" "$P/link"
  refused 2 'is a link that an agent may change' fabric spawn a --rw "$P" --ro "$P/link:/w" -- true
  refused 2 'is a link, which cannot be hidden' fabric spawn a --work "$P" --hide /work/link/fabric.toml -- true
  ln -s "$P/src" "$BATS_TEST_TMPDIR/outside"
  fabric spawn b --ro "$BATS_TEST_TMPDIR/outside:/w" -- cat /w/a.c
  expect_equal "$(fabric run b)" source
}

@test "a link in what another rule gives under a longer name is not followed" {
  requires root namespaces
  mkdir -p "$BATS_TEST_TMPDIR/d/real" "$BATS_TEST_TMPDIR/d/other/t"
  cd "$BATS_TEST_TMPDIR/d" || return 1
  ln -s real a-very-long-alias
  ln -s ../other real/l # as an agent that has the first directory could
  run fabric sandbox run --work none --rw a-very-long-alias:/a --rw real/l/t:/t -- true
  expect_status 125
  expect_match "$output" 'is a link that an agent may change'
  run fabric sandbox run --work real/l/t --rw real:/r -- true
  expect_status 125
  expect_match "$output" 'is a link that an agent may change'
}

@test "rules that cannot be kept are refused" {
  project
  refused 2 'No such file' fabric spawn a --ro "$P/absent" -- true
  refused 2 'has its own /proc' fabric spawn a --ro "$P:/proc/x" -- true
  refused 2 'is not in .*read-only' fabric spawn a --ro "$P" --ro "$P/src:$P/new" -- true
  refused 2 'isolation none has no walls' fabric spawn a --isolation none --hide /work/x -- true
  expect_equal "$(fabric agents --json)" "[]"
}

@test "isolation none works in the directory that --work names" {
  project
  fabric spawn a --isolation none --work "$P" -- sh -c 'pwd; echo "$HOME"'
  expect_equal "$(fabric run a)" "$P"$'\n'"$P"
}

@test "what steers fabric is no agent's to change, nor its state to see" {
  requires root namespaces
  fabric spawn a --work . -- sh -c '
    ls .fabric; echo evil >fabric.toml; mv fabric.toml x; mkdir -p agents/a; echo evil >agents/a/agent.toml; mv agents b
    touch policies/x; rm -rf policies; mv .fabric y; echo mine >file; cat file'
  cp fabric.toml "$BATS_TEST_TMPDIR/before"
  expect_equal "$(fabric run a 2>/dev/null)" mine
  cmp fabric.toml "$BATS_TEST_TMPDIR/before"
  [ -d .fabric/run ] && [ -d policies ] && [ ! -e agents/a/agent.toml ]
  refused 4 'can steer it' fabric spawn b --rw .. -- true
  refused 4 'is fabric.s own state' fabric spawn b --ro .fabric/run -- true
  refused 4 'steers fabric' fabric spawn b --rw agents -- true
  chmod 755 "$BATS_RUN_TMPDIR" # or the agent could not get there at all
  fabric spawn d --ro /:/host -- sh -c "ls /host/proc /host/run /host/dev /host/sys '/host$WORKSPACE/.fabric'; cat '/host$WORKSPACE/file'"
  expect_equal "$(fabric run d 2>/dev/null)" mine
}

@test "git: commit, branch, merge, rebase, stash and tag in a repository of the host" {
  requires root namespaces git
  git_project
  fabric spawn a --work "$P" -- sh -ec '
    git checkout -q -b topic; echo more >>src/a.c; git commit -q -am second
    git checkout -q main; echo other >b.c; git add b.c; git commit -q -m third
    git merge -q --no-edit topic; git checkout -q -b again HEAD~1; echo z >z; git add z; git commit -q -m z
    git rebase -q main; echo dirty >>b.c; git stash -q; git stash pop -q; git checkout -q b.c; git tag v1
    git gc -q; git fsck --no-progress --no-dangling; git status --porcelain; git log --oneline | wc -l'
  run --separate-stderr fabric run a
  expect_status 0
  expect_equal "$output" 5
  git -C "$P" fsck
  expect_equal "$(git -C "$P" status --porcelain)" ""
  expect_equal "$(git -C "$P" log -1 --format=%an again)" tester
}

@test "git: hooks, config and commondir stay as they are" {
  requires root namespaces git
  git_project
  rm -rf "$P/.git/hooks"
  attack='
    echo "[core] fsmonitor = evil" >>.git/config; git config core.fsmonitor evil; rm -f .git/config
    mkdir -p .git/hooks; echo evil >.git/hooks/pre-commit; mv .git .git2; cp -r .git g; rm -rf .git/hooks; mv g/hooks .git/hooks
    echo ../evil >.git/commondir; rm -f .git/commondir; echo "[core] x = y" >c; mv c .git/config; mv .git/config d; ln .git/config e && echo evil >>e'
  fabric spawn a --work "$P" -- sh -c "$attack; git commit -q --allow-empty -m inside && echo committed"
  before=$(cat "$P/.git/config")
  expect_equal "$(fabric run a 2>/dev/null)" committed
  expect_equal "$(cat "$P/.git/config")" "$before"
  expect_equal "$(ls "$P/.git/hooks")" ""
  [ -d "$P/.git" ] && [ ! -e "$P/.git2" ]
  fabric terminate a
  [ ! -e "$P/.git/commondir" ] && [ ! -e "$P/.git/hooks" ]
  # The same attack succeeds where it is allowed: it proves something.
  fabric spawn b --work "$P" --no-protect-git -- sh -c "$attack"
  fabric run b 2>/dev/null || true
  expect_match "$(cat "$P"/.git*/config "$P"/d "$P"/e "$P"/c 2>/dev/null)" 'evil|x = y'
}

@test "git: a worktree works, with the repository that it belongs to" {
  requires root namespaces git
  git_project
  git -C "$P" worktree add -q "$BATS_TEST_TMPDIR/tree" -b side
  fabric spawn a --work "$BATS_TEST_TMPDIR/tree" -- sh -c '
    echo w >w; git add w; git commit -q -m in-worktree && git log --oneline | wc -l
    echo "gitdir: /tmp" >.git; mv .git x; echo evil >"$1/.git/hooks/pre-commit"; echo evil >>"$1/.git/config"; echo evil >"$1/.git/worktrees/tree/commondir"; ls "$1"' sh "$P"
  before=$(cat "$P/.git/config")
  expect_equal "$(fabric run a 2>/dev/null)" 2
  expect_equal "$(git -C "$P" log -1 --format=%s side)" in-worktree
  expect_equal "$(cat "$P/.git/config")" "$before"
  [ ! -e "$P/.git/hooks/pre-commit" ]
}

@test "git: a .git file that names somebody else's repository gives nothing" {
  requires root namespaces git
  git_project
  mkdir "$BATS_TEST_TMPDIR/fake"
  echo "gitdir: $P/.git" >"$BATS_TEST_TMPDIR/fake/.git"
  refused 2 'does not point back' fabric spawn a --work "$BATS_TEST_TMPDIR/fake" -- true
}

@test "git: submodules, and clone and worktree inside" {
  requires root namespaces git
  git_project
  git init -q -b main "$BATS_TEST_TMPDIR/lib"
  git -C "$BATS_TEST_TMPDIR/lib" -c user.name=t -c user.email=t commit -q --allow-empty -m lib
  git -C "$P" -c protocol.file.allow=always submodule add -q "$BATS_TEST_TMPDIR/lib" lib
  git -C "$P" commit -q -m submodule
  fabric spawn a --rw "$P" -- sh -c '
    cd "$1"; cd lib && git -c user.name=a -c user.email=b commit -q --allow-empty -m in-lib && cd ..
    git add lib; git commit -q -m update; git submodule status | wc -l
    git worktree add -q ../project/wt -b wt && git -C wt log --oneline | wc -l
    git clone -q . /work/clone && git -C /work/clone log --oneline | wc -l
    echo evil >.git/modules/lib/hooks/pre-commit; echo evil >>.git/modules/lib/config; echo "gitdir: x" >lib/.git; mv lib l2; mv .git/modules .git/m' sh "$P"
  before=$(cat "$P/.git/modules/lib/config")
  expect_equal "$(fabric run a 2>/dev/null)" $'1\n3\n3'
  expect_equal "$(cat "$P/.git/modules/lib/config")" "$before"
  [ ! -e "$P/.git/modules/lib/hooks/pre-commit" ] && [ -d "$P/lib" ]
  expect_equal "$(git -C "$P/lib" log -1 --format=%s)" in-lib
  expect_equal "$(git -C "$P/wt" rev-parse --abbrev-ref HEAD)" wt
}

@test "placeholders go after the supervisor was killed" {
  requires root namespaces
  project
  before=$(listing)
  fabric spawn a --work "$P" --hide /work/none/deep --no-write /work/later -- true
  [ -e "$P/none/deep" ] && [ -e "$P/later" ]
  kill -9 "$(supervisor_pid)"
  fabric up --detach
  [ -e "$P/later" ] # its sandbox lives on
  fabric terminate a
  expect_equal "$(listing)" "$before"
}

@test "a placeholder that two sandboxes need goes with the last" {
  requires root namespaces
  project
  fabric spawn a --work "$P" --hide /work/later -- true
  fabric spawn b --work "$P" --hide /work/later -- true
  fabric terminate a
  [ -e "$P/later" ]
  fabric terminate b
  [ ! -e "$P/later" ]
}

@test "a placeholder that somebody filled stays" {
  requires root namespaces
  project
  fabric spawn a --work "$P" --no-write /work/later -- cat later
  echo mine >>"$P/later"
  expect_equal "$(fabric run a)" mine
  fabric terminate a
  expect_equal "$(cat "$P/later")" mine
}

@test "what was replaced from outside is protected again before the next task" {
  requires root namespaces git
  git_project
  fabric spawn a --work "$P" --hide /work/.env -- sh -c 'cat .env; echo evil >.env; echo evil >>.git/config; echo evil >.git/hooks/pre-commit; echo ran'
  expect_equal "$(fabric run a 2>/dev/null)" ran
  git -C "$P" config user.name other # by rename
  echo token2 >"$P/new"
  mv "$P/new" "$P/.env"
  before=$(cat "$P/.git/config")
  expect_equal "$(fabric run a 2>/dev/null)" ran
  expect_equal "$(cat "$P/.git/config")" "$before"
  expect_equal "$(cat "$P/.env")" token2
  state_is a ready
}

@test "a file system about the machine is not handed over with what it is in, whatever it is called" {
  requires root namespaces unshare
  mkdir -p "$BATS_TEST_TMPDIR/given/a proc"
  # In a mount namespace of our own. Outside of the sandbox it can be read.
  run --separate-stderr unshare -m sh -c 'mount -t proc proc "$1/a proc" && head -c 5 "$1/a proc/version" &&
    "$0" sandbox run --work none --ro "$1:/given" -- cat "/given/a proc/version"' "$FABRIC" "$BATS_TEST_TMPDIR/given"
  expect_equal "$output" Linux
  [ "$status" -ne 0 ]
}
