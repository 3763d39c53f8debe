// SPDX-License-Identifier: Apache-2.0
// A workspace directory and its .fabric on disk: identity, ownership, and the making of what is
// missing. Everything goes through descriptors and follows no symlink.
#pragma once

#include <string>
#include <vector>

#include "base/fd.hpp"
#include "config/registry.hpp"

namespace fabric::config {

// Takes back what it was told of, last first, unless kept.
class Undo {
 public:
  explicit Undo(const Fd& directory) : directory_(directory) {}
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  ~Undo();
  void made_directory(const std::string& name) { made_.push_back({name, true}); }
  void made_file(const std::string& name) { made_.push_back({name, false}); }
  void keep() { made_.clear(); }

 private:
  struct Made {
    std::string name;
    bool directory;
  };
  const Fd& directory_;
  std::vector<Made> made_;
};

// The directory opened, if it is the caller's and nobody else can write it (denied otherwise).
Result<Fd> open_own_directory(const std::string& path);
// Makes `name` in `directory`, or accepts the real directory of the caller's that is there; with
// mode 0700 set on it in both cases if `is_private`.
enum class Access : uint8_t { shared, only_owner };
Status ensure_directory(const Fd& directory, const std::string& path, const std::string& name,
                        Access access, Undo& undo);
// A new file; fails when anything of that name exists.
Status make_file(const Fd& directory, const std::string& path, const std::string& name,
                 const std::string& text, Undo& undo);
// .fabric with its .gitignore, run, logs and agents.
Status ensure_state_tree(const Fd& root, const std::string& path, Undo& undo);
// Who the workspace is; fails with `denied` when .fabric or fabric.toml is not as it must be, with
// not_found when .fabric is missing.
Result<Registration> identify(const Fd& root, const std::string& path);

}  // namespace fabric::config
