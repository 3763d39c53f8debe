/* SPDX-License-Identifier: Apache-2.0
 * What the rules of a sandbox say about paths. The agent `rules` has the repository /work/repo,
 * whose hooks and config it may not touch; /work/hidden is hidden and has a secret,
 * /work/hidden-later is hidden and not there; /work/fixed may not be changed, nor /work/fixed-later
 * be made. Outside, in the same directory, none of that holds. */
#include "attack.h"

static enum state change_git(long how) {
  switch (how) {
    case 0:
      return write_to(AT_FDCWD, "repo/.git/config");
    case 1:
      return write_to(AT_FDCWD, "repo/.git/hooks/pre-commit");
    case 2:
      return expect_failure(rename("repo/.git", "repo/.git2"), "rename");
    case 3:
      return expect_failure(unlink("repo/.git/config"), "unlink");
    case 4:
      close(open("mine", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
      return expect_failure(rename("mine", "repo/.git/config"), "rename");
    case 5:
      return expect_failure(rename("repo/.git/hooks", "repo/.git/other"), "rename");
    case 6:
      if (rename("repo", "repo2") < 0) return blocked("rename");
      mkdir("repo", 0755);
      mkdir("repo/.git", 0755);
      return write_to(AT_FDCWD, "repo/.git/config");
    case 7:
      return write_to(AT_FDCWD, "repo/.git/info/attributes");
    case 8:
      return expect_failure(symlink("/tmp/hooks", "repo/.git/hooks/post-merge"), "symlink");
    case 9:
      return write_to(AT_FDCWD, "repo/.git/worktrees/w/gitdir");
    case 10:
      return write_to(AT_FDCWD, "repo/.git/modules/m/config");
    case 11:
      return write_to(AT_FDCWD, "repo/.git/config.worktree");
    default:
      return expect_failure(link("repo/.git/config", "other"), "link");
  }
}

static enum state touch_hidden(long how) {
  switch (how) {
    case 0:
      return read_token(AT_FDCWD, "hidden/secret");
    case 1:
      mkdir("hidden-later", 0755);
      return write_to(AT_FDCWD, "hidden-later/file");
    case 2:
      return write_to(AT_FDCWD, "hidden/made");
    case 3:
      return expect_failure(rename("hidden", "seen"), "rename");
    case 4: {
      unlink("to-hidden");
      if (symlink("hidden", "to-hidden") < 0) return blocked("symlink");
      return read_token(AT_FDCWD, "to-hidden/secret");
    }
    case 5:
      return read_token(AT_FDCWD, "/proc/self/cwd/hidden/secret");
    default:
      return read_token(AT_FDCWD, "deep/a/hidden/secret");
  }
}

/* After somebody outside has put another file in the place of one that is protected, which takes
 * the mount on it away. */
static enum state after_host(long how) {
  static const char* const written[] = {"repo/.git/config", "repo/.git/hooks/pre-commit",
                                        "fixed/file"};
  static const char* const hidden[] = {"hidden/secret", "hidden-later/secret", "deep/one.key",
                                       "deep/two.key", "late/three.key"};
  return how < 10 ? write_to(AT_FDCWD, written[how]) : read_token(AT_FDCWD, hidden[how - 10]);
}

static enum state change_fixed(long how) {
  switch (how) {
    case 0:
      return write_to(AT_FDCWD, "fixed/file");
    case 1:
      return write_to(AT_FDCWD, "fixed-later");
    case 2:
      return expect_failure(rename("fixed", "moved"), "rename");
    case 3:
      return expect_failure(unlink("fixed/file"), "unlink");
    case 4:
      return expect_failure(mkdir("fixed-later", 0755), "mkdir");
    case 5:
      return expect_failure(symlink("x", "fixed-later"), "symlink");
    case 6:
      return expect_failure(chmod("fixed/file", 0777), "chmod");
    case 7:
      return expect_failure(rename("deep", "deep2"), "rename");
    default:
      return write_to(AT_FDCWD, "deep/open/fixed/file");
  }
}

#define GIT_PROBE(name, how, what) \
  { name, what, change_git, how, GIT | OWN_TASK, 0 }
#define AFTER(name, how, what) \
  { name, what, after_host, how, HOSTED | OWN_TASK, 0 }
#define HIDDEN(name, how, what) \
  { name, what, touch_hidden, how, PATHS | OWN_TASK, 0 }
#define FIXED(name, how, what) \
  { name, what, change_fixed, how, PATHS | OWN_TASK, 0 }
static const struct probe table[] = {
    GIT_PROBE("fs-git-config", 0, "writes .git/config"),
    GIT_PROBE("fs-git-new-hook", 1, "makes a hook"),
    GIT_PROBE("fs-git-rename", 2, "renames .git"),
    GIT_PROBE("fs-git-unlink", 3, "removes .git/config"),
    GIT_PROBE("fs-git-rename-over", 4, "renames a file over .git/config"),
    GIT_PROBE("fs-git-move-hooks", 5, "renames .git/hooks"),
    GIT_PROBE("fs-git-rename-parent", 6, "renames the repository, makes another"),
    GIT_PROBE("fs-git-attributes", 7, "writes .git/info/attributes"),
    GIT_PROBE("fs-git-hook-link", 8, "makes a hook that is a link"),
    GIT_PROBE("fs-git-config-worktree", 11, "makes .git/config.worktree"),
    HIDDEN("fs-hide-read", 0, "reads a hidden file"),
    HIDDEN("fs-hide-later", 1, "makes what is hidden before it is there"),
    HIDDEN("fs-hide-write", 2, "writes into a hidden directory"),
    HIDDEN("fs-hide-rename", 3, "renames a hidden directory"),
    HIDDEN("fs-hide-link", 4, "reads a hidden file through a link"),
    HIDDEN("fs-hide-cwd", 5, "reads it through /proc/self/cwd"),
    HIDDEN("fs-hide-inside-writable", 6, "reads a hidden file in a writable directory"),
    FIXED("fs-fixed-write", 0, "writes what may not be changed"),
    FIXED("fs-fixed-later", 1, "makes what may not be made"),
    FIXED("fs-fixed-rename", 2, "renames it"),
    FIXED("fs-fixed-unlink", 3, "removes it"),
    FIXED("fs-fixed-mkdir", 4, "makes it as a directory"),
    FIXED("fs-fixed-symlink", 5, "makes it as a link"),
    FIXED("fs-fixed-chmod", 6, "changes its mode"),
    FIXED("fs-fixed-parent", 7, "renames a directory above it"),
    FIXED("fs-fixed-inside-open", 8, "writes what is fixed inside what is not"),
    AFTER("fs-host-config", 0, "writes .git/config when git outside has replaced it"),
    AFTER("fs-host-hooks", 1, "makes a hook when the directory has been replaced outside"),
    AFTER("fs-host-fixed", 2, "writes what is fixed when it has been replaced outside"),
    AFTER("fs-host-hidden", 10, "reads what is hidden when it has been replaced outside"),
    AFTER("fs-host-later", 11, "reads what is hidden and was made outside later"),
    AFTER("fs-glob", 12, "reads what a pattern hides"),
    AFTER("fs-glob-late", 13, "reads what a pattern hides and was made outside later"),
    AFTER("fs-glob-late-directory", 14, "the same in a directory that was made later"),
};
PROBES(fs_rules, table);
