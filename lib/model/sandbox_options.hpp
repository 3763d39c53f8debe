// SPDX-License-Identifier: Apache-2.0
// What an agent may see and reach, as people write it: rules are texts, with one grammar for TOML
// files, command lines, the control protocol and the store. sandbox_rules.hpp reads them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fabric {

struct SandboxOptions {
  // Level container: a directory with a root file system, a directory in OCI image layout, or an
  // archive of one (as `docker save` writes it). "": the host's system directories.
  std::string root;
  std::string work;  // host directory that becomes /work; "": one of the agent's own
  // "HOST" or "HOST:INSIDE", absolute. The most specific path wins; of equal ones the stricter.
  std::vector<std::string> read_only, read_write;
  std::vector<std::string> hidden;    // inside; nothing is seen of it, also when it appears later
  std::vector<std::string> no_write;  // inside; cannot be made, changed or removed
  bool protect_git = true;            // hooks and config of repositories are no_write
  std::vector<std::string> egress;    // see EgressRule
  std::vector<std::string> publish;   // "[ADDRESS:]HOST_PORT:INSIDE_PORT"
  bool publish_allowed = false;       // whether `publish` may be used at all
  std::vector<std::string> secrets;   // see SecretRule
  std::vector<std::string> inject;    // see InjectRule
  std::string seccomp = "default";    // default, strict, permissive, or the path of a policy
  bool learn = false;    // what it needs is recorded; it sees more of the host meanwhile
  bool degrade = false;  // a wall that this machine cannot build is left out, not refused
  bool operator==(const SandboxOptions&) const = default;
};

// One list of rules: its key in `isolation` of TOML files, its option, what it means.
struct SandboxList {
  std::string_view key;     // "ro"; also in the control protocol
  std::string_view option;  // "--ro"
  std::string_view value;   // "HOST[:INSIDE]"
  std::string_view help;
  std::vector<std::string> SandboxOptions::*member;
  Status (*check)(const std::string& rule);
};
std::span<const SandboxList> sandbox_lists();

// All rules of all lists, and the texts.
Status check_sandbox_options(const SandboxOptions& options);

}  // namespace fabric
