// SPDX-License-Identifier: Apache-2.0
// Paths of the host that rules name. An agent may have put links where it could write: such a link
// is never followed, nor is one that appears between looking and opening.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric {

// `path` is `directory` or in it; both normal and absolute.
bool is_beneath(std::string_view path, std::string_view directory);
// "/a" + "b/c"; with an empty second part the first alone.
std::string join_path(const std::string& directory, std::string_view relative);
// What is left of `path` when it is beneath `directory`: "" or "b/c".
std::string relative_to(const std::string& path, const std::string& directory);

// Where `path` leads, without links. A link that lies beneath one of `changeable` is refused.
Result<std::string> resolve_host_path(const std::string& path,
                                      const std::vector<std::string>& changeable);

// Of a root file system at `root` that is not ours: where `path` leads in it, without links.
Result<std::string> resolve_in_root(const std::string& root, const std::string& path);
// openat2(2) with RESOLVE_IN_ROOT.
Result<Fd> open_in_root(const Fd& root, const std::string& path, int flags);

// openat2(2) with RESOLVE_NO_SYMLINKS. `relative` "" is the directory itself.
Result<Fd> open_beneath(const Fd& directory, const std::string& relative, int flags,
                        unsigned mode = 0);
// An absolute path without links, as resolve_host_path() gives it.
Result<Fd> open_resolved(const std::string& path, int flags);

enum class PathKind { absent, file, directory, link };
// What the last part of `relative` is; of its directories none may be a link or missing.
PathKind kind_beneath(const Fd& directory, const std::string& relative);

}  // namespace fabric
