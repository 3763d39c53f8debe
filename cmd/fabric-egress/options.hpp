// SPDX-License-Identifier: Apache-2.0
// The command line of fabric-egress, which `fabric` writes (model/egress_wire.hpp).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace fabric::egress {

struct ProgramOptions {
  uid_t owner = 0;
  std::optional<uid_t> user;  // what it becomes; only as root
  std::string hosts;          // a file as /etc/hosts, asked before DNS
  std::string authorities;    // certificates in place of the machine's
  bool alone = false;         // --private: descriptor 3 is the only connection
  bool help = false, version = false;
};
// nullopt: said what is wrong.
std::optional<ProgramOptions> read_options(int argc, char** argv);

}  // namespace fabric::egress
