// SPDX-License-Identifier: Apache-2.0
// Names of users and groups: from /etc/passwd and /etc/group, and what is not there from getent(1).
// Not from getpwuid(3): it loads the libraries of /etc/nsswitch.conf into the process, which costs
// as much as a command, and which a program that is linked statically does not survive.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace fabric {

struct User {
  std::string name, home;
  gid_t gid = 0;
};
struct UserGroup {
  std::string name;
  std::vector<std::string> members;
};

// nullopt when nobody knows the number.
std::optional<User> find_user(uid_t uid);
std::optional<UserGroup> find_group(gid_t gid);

}  // namespace fabric
