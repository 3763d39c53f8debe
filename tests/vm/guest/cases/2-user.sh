#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# As an ordinary user: in a group that was delegated to him, and in one that was not.
# shellcheck source=/dev/null
. /guest/lib.sh
: "${cgroups:?}" "${failures:?}"
chown user /home/user
as_user() { HOME=/home/user su -s /bin/sh user -c "$*"; }

# --- delegated, as systemd does it: the group and what one writes there are his, and he is in it
group="$cgroups/users/delegated"
echo '+memory +cpu +pids' >"$cgroups/cgroup.subtree_control"
mkdir "$cgroups/users"
echo '+memory +cpu +pids' >"$cgroups/users/cgroup.subtree_control"
mkdir "$group"
chown user "$group" "$group/cgroup.procs" "$group/cgroup.subtree_control" "$group/cgroup.threads"
(
  echo 0 >"$group/cgroup.procs"
  as_user sh /guest/delegated.sh
) || failures=$((failures + 1))
check 'all that is left of it is the group itself' same "$(find "$group" -type d)" "$group"
check 'and what it had to give it has back' same "$(cat "$group/cgroup.subtree_control")" ''
check 'it can be removed' rmdir "$group"

# --- a session of root that is not delegated and not empty: the top of the hierarchy serves
session="$cgroups/users/session"
mkdir "$session"
(
  echo 0 >"$session/cgroup.procs"
  sh /guest/session.sh
) || failures=$((failures + 1))
check 'nothing is left of it' same "$(find "$session" -mindepth 1 -type d; groups_left)" ''

# --- the supervisor dies in one delegated group, its successor starts in another
for name in before after; do
  mkdir "$cgroups/users/$name"
  chown user "$cgroups/users/$name" "$cgroups/users/$name/cgroup.procs" "$cgroups/users/$name/cgroup.subtree_control"
done
(
  echo 0 >"$cgroups/users/before/cgroup.procs"
  as_user sh /guest/moved.sh before
) || failures=$((failures + 1))
(
  echo 0 >"$cgroups/users/after/cgroup.procs"
  as_user sh /guest/moved.sh after
) || failures=$((failures + 1))
check 'moved: nothing is left in either' \
  same "$(find "$cgroups/users/before" "$cgroups/users/after" -mindepth 1 -type d)" ''

# --- delegated without the controller cpu
mkdir "$cgroups/users/poor"
echo '+memory +pids' >"$cgroups/users/poor/cgroup.subtree_control"
group="$cgroups/users/poor/user"
mkdir "$group"
chown user "$group" "$group/cgroup.procs" "$group/cgroup.subtree_control"
lacking() (
  echo 0 >"$group/cgroup.procs"
  as_user fabric doctor 2>&1 | grep -F 'no controller cpu to give'
)
check 'without the controller cpu: doctor says so' lacking
check 'and leaves nothing' same "$(find "$group" -mindepth 1 -type d)" ''

# --- not delegated
as_user sh /guest/undelegated.sh || failures=$((failures + 1))
done_
