// SPDX-License-Identifier: Apache-2.0
#include "isolation/seccomp_policies.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <vector>

#include "base/fd.hpp"
#include "isolation/seccomp_built_in.hpp"

namespace fabric {

namespace {

constexpr size_t k_longest_policy = size_t{256} << 10;
constexpr size_t k_most_compiled = 64;

struct Selection {
  std::string_view policy;
  std::vector<std::string_view> allowed;
};

Selection split(std::string_view text) {
  Selection selection;
  // A path may have a "+" in its directories.
  size_t at = text.find('+', text.starts_with('/') ? text.rfind('/') : 0);
  selection.policy = text.substr(0, at);
  while (at != std::string_view::npos) {
    const size_t next = text.find('+', at + 1);
    selection.allowed.push_back(text.substr(at + 1, next - at - 1));
    at = next;
  }
  return selection;
}

Result<SeccompPolicy> parse(std::string_view text) {
  return parse_seccomp_policy(text, built_in_seccomp_policy);
}

Result<std::string> read_policy(const std::string& path) {
  // A FIFO would keep us waiting for whoever writes it.
  auto file = open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat status {};
  if (file && (::fstat(file->get(), &status) != 0 || !S_ISREG(status.st_mode)))
    return fail(ErrorCode::usage, "system call policy " + path + ": not a regular file");
  auto text = file ? in_context(read_all(file->get(), k_longest_policy), path)
                   : Result<std::string>(fail(file.error()));
  if (text) return text;
  return fail(ErrorCode::usage, "system call policy " + text.error().message);
}

Result<SeccompPolicy> policy_of(const Selection& selection, const std::string& text) {
  SeccompPolicy policy = TRY(text.empty() ? built_in_seccomp_policy(selection.policy)
                                          : in_context(parse(text), std::string(selection.policy)));
  for (std::string_view what : selection.allowed) TRY_STATUS(allow_in(policy, what));
  return policy;
}

// Whatever a file says: the walls stand, and a command can be started.
Status check_walls(const SeccompFilter& filter) {
  static const Result<SeccompPolicy> walls = built_in_seccomp_policy("default");
  if (!walls) return fail(walls.error());
  if (const std::string open = open_wall(filter, *walls); !open.empty())
    return fail(ErrorCode::denied, "the system call policy opens a wall (" + open + ")",
                "write base = \"default\" and say what else is denied or allowed; see "
                "docs/seccomp.md");
  if (const std::string denied = denied_at_start(filter); !denied.empty())
    return fail(ErrorCode::usage,
                "the system call policy denies " + denied + ", without which no command starts");
  return {};
}

}  // namespace

Result<SeccompPolicy> built_in_seccomp_policy(std::string_view name) {
  if (name == "default") return parse(k_default_seccomp_policy);
  if (name == "strict") return parse(k_strict_seccomp_policy);
  if (name == "permissive") return parse(k_permissive_seccomp_policy);
  return fail(ErrorCode::usage, "there is no system call policy '" + std::string(name) + "'",
              "write default, strict, permissive, or the path of a file");
}

Result<SeccompPolicy> find_seccomp_policy(const std::string& selection) {
  const Selection chosen = split(selection);
  std::string text;
  if (selection.starts_with('/')) text = TRY(read_policy(std::string(chosen.policy)));
  return policy_of(chosen, text);
}

Result<std::shared_ptr<const SeccompFilter>> SeccompPolicies::get(const std::string& selection) {
  if (selection == "default")  // owned by nobody
    return std::shared_ptr<const SeccompFilter>(std::shared_ptr<void>(), &builtin_seccomp_filter());
  const Selection chosen = split(selection);
  std::string text;
  if (selection.starts_with('/')) {
    text = TRY(read_policy(std::string(chosen.policy)));
    if (text.empty()) return fail(ErrorCode::usage, selection + ": empty");
  }
  const std::string key = selection + '\0' + text;
  if (const auto known = compiled_.find(key); known != compiled_.end()) return known->second;
  const SeccompPolicy policy = TRY(policy_of(chosen, text));
  auto filter = std::make_shared<const SeccompFilter>(TRY(compile_seccomp_policy(policy)));
  TRY_STATUS(in_context(check_walls(*filter), selection));
  if (compiled_.size() >= k_most_compiled) compiled_.clear();
  compiled_.emplace(key, filter);
  return filter;
}

}  // namespace fabric
