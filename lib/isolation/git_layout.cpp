// SPDX-License-Identifier: Apache-2.0
#include "isolation/git_layout.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "isolation/host_path.hpp"
#include "isolation/tree_walk.hpp"

namespace fabric {

namespace {

constexpr size_t k_largest_text = size_t{1} << 20;

std::string in(const std::string& directory, std::string_view name) {
  return directory.empty() ? std::string(name) : directory + "/" + std::string(name);
}

const TreeEntry* entry_named(const std::vector<TreeEntry>& entries, std::string_view name) {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const TreeEntry& entry) { return entry.name == name; });
  return found == entries.end() ? nullptr : &*found;
}

bool has_directory(const std::vector<TreeEntry>& entries, std::string_view name) {
  const TreeEntry* entry = entry_named(entries, name);
  return entry != nullptr && entry->directory;
}

std::string text_of(const Fd& root, const std::string& relative) {
  auto file = open_beneath(root, relative, O_RDONLY | O_NONBLOCK);
  return file ? read_all(file->get(), k_largest_text).value_or("") : "";
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

bool mentions_worktree_config(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text.find("worktreeconfig") != std::string::npos;
}

// As git decides that a directory is a repository (is_git_directory() of its setup.c). But also
// what lacks only what an agent may have moved away, to bring it back when nothing is protected.
bool was_repository(const std::string& at, const std::vector<TreeEntry>& entries) {
  if (at == ".git" || at.ends_with("/.git")) return true;
  const bool module = at.find(".git/modules/") != std::string::npos;
  return entry_named(entries, "config") != nullptr && !has_directory(entries, "config") &&
         (module || has_directory(entries, "hooks"));
}

bool is_repository(const std::vector<TreeEntry>& entries) {
  return entry_named(entries, "HEAD") != nullptr && has_directory(entries, "objects") &&
         has_directory(entries, "refs");
}

void protect_repository(const Fd& root, const std::string& at,
                        const std::vector<TreeEntry>& entries, std::vector<ProtectedPath>& out) {
  out.push_back({in(at, "config"), false, Stand::file});
  out.push_back({in(at, "hooks"), false, Stand::directory});
  // With a file of this name git takes hooks and config from elsewhere.
  out.push_back({in(at, "commondir"), false, Stand::common_dir});
  if (entry_named(entries, "config.worktree") != nullptr ||
      mentions_worktree_config(text_of(root, in(at, "config"))))
    out.push_back({in(at, "config.worktree"), false, Stand::file});
}

// Of .git/worktrees/NAME.
void protect_worktree(const Fd& root, const std::string& at, const std::vector<TreeEntry>& entries,
                      std::vector<ProtectedPath>& out) {
  for (const char* name : {"gitdir", "commondir"})
    if (entry_named(entries, name) != nullptr) out.push_back({in(at, name), false, Stand::none});
  // Also when it is not there: git takes it as soon as it is.
  const size_t names = at.rfind("worktrees/");
  const std::string repository = names == 0 ? "" : at.substr(0, names - 1);
  if (entry_named(entries, "config.worktree") != nullptr ||
      mentions_worktree_config(text_of(root, in(repository, "config"))))
    out.push_back({in(at, "config.worktree"), false, Stand::file});
}

void protect_workspace(const std::string& at, const std::vector<TreeEntry>& entries,
                       std::vector<ProtectedPath>& out) {
  if (entry_named(entries, ".fabric") == nullptr && entry_named(entries, "fabric.toml") == nullptr)
    return;
  for (const char* name : {"fabric.toml", "policies", "agents"})
    if (entry_named(entries, name) != nullptr) out.push_back({in(at, name), false, Stand::none});
  if (entry_named(entries, ".fabric") != nullptr)
    out.push_back({in(at, ".fabric"), true, Stand::none});
}

bool is_worktree_entry(const std::string& at, const std::vector<TreeEntry>& entries) {
  const size_t name = at.rfind('/');
  if (name == std::string::npos || entry_named(entries, "gitdir") == nullptr) return false;
  const size_t parent = at.rfind('/', name - 1);
  return at.substr(parent == std::string::npos ? 0 : parent + 1, name - parent - 1) ==
             "worktrees" ||
         at.starts_with("worktrees/");
}

}  // namespace

Result<std::vector<ProtectedPath>> find_protected_paths(const Fd& root) {
  std::vector<ProtectedPath> found;
  const auto visit = [&](const std::string& at, std::vector<TreeEntry>& entries) {
    protect_workspace(at, entries, found);
    std::erase_if(entries, [](const TreeEntry& entry) { return entry.name == ".fabric"; });
    if (is_repository(entries) || was_repository(at, entries)) {
      protect_repository(root, at, entries, found);
      std::erase_if(entries, [](const TreeEntry& entry) {
        return entry.name != "modules" && entry.name != "worktrees";
      });
    } else if (is_worktree_entry(at, entries)) {
      protect_worktree(root, at, entries, found);
      entries.clear();
    }
    const TreeEntry* git = entry_named(entries, ".git");
    if (git != nullptr && !git->directory && !git->link)
      found.push_back({in(at, ".git"), false, Stand::none});
    return Status();
  };
  // Nobody knows what is in it, so all of it stays as it is.
  const auto closed = [&](const std::string& at) {
    found.push_back({at, false, Stand::none});
    return Status();
  };
  TRY_STATUS(walk_tree(root, "", visit, closed));
  return found;
}

namespace {

std::string canonical(const std::string& path) {
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(path, error);
  return error ? "" : real.string();
}

std::string joined(const std::string& base, const std::string& path) {
  return path.starts_with('/') ? path
                               : (std::filesystem::path(base) / path).lexically_normal().string();
}

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

// Of what an agent may have made: neither a FIFO, which would keep us waiting, nor a device.
std::string text_at(const std::string& path) {
  auto file = open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat status {};
  if (!file || ::fstat(file->get(), &status) != 0 || !S_ISREG(status.st_mode)) return "";
  return read_all(file->get(), k_largest_text).value_or("");
}

bool looks_like_repository(const std::string& path) {
  auto directory = open_file(path, O_RDONLY | O_DIRECTORY);
  return directory && is_repository(entries_of(std::move(*directory)));
}

// `gitdir` of .git/worktrees/NAME names the `.git` file of the worktree.
bool worktree_points_back(const std::string& git_dir, const std::string& tree) {
  const std::string back = first_line(text_at(git_dir + "/gitdir"));
  return !back.empty() && canonical(joined(git_dir, back)) == tree + "/.git";
}

// core.worktree of a submodule's own config, in the one form in which git writes it.
bool submodule_points_back(const std::string& git_dir, const std::string& tree) {
  const std::string text = text_at(git_dir + "/config");
  const std::string_view key = "\n\tworktree = ";
  const size_t at = text.find(key);
  if (at == std::string::npos) return false;
  return canonical(joined(git_dir, first_line(text.substr(at + key.size())))) == tree;
}

}  // namespace

Result<std::optional<CommonGitDir>> find_common_git_dir(
    const std::string& tree, const std::string& inside,
    const std::vector<std::string>& changeable) {
  const Fd root = TRY(open_resolved(tree, O_PATH | O_DIRECTORY));
  const std::string text = first_line(text_of(root, ".git"));
  const std::string_view key = "gitdir: ";
  if (!text.starts_with(key)) return std::optional<CommonGitDir>();
  const std::string named = text.substr(key.size());
  const std::string git_dir = canonical(joined(tree, named));
  const std::string seen = joined(inside, named);
  if (git_dir.empty() || is_beneath(git_dir, tree)) return std::optional<CommonGitDir>();
  const std::string common = first_line(text_at(git_dir + "/commondir"));
  CommonGitDir found;
  if (!common.empty() && worktree_points_back(git_dir, tree)) {
    found.host = canonical(joined(git_dir, common));
    found.inside = without_slash(joined(seen, common));
    if (git_dir.substr(0, git_dir.rfind('/')) != found.host + "/worktrees" ||
        !looks_like_repository(found.host))
      return std::optional<CommonGitDir>();
    // What an agent may have written must lead nowhere else.
    for (const std::string& place : changeable)
      if (is_beneath(git_dir, place) && !is_beneath(found.host, place))
        return std::optional<CommonGitDir>();
  } else if (common.empty() && submodule_points_back(git_dir, tree)) {
    found = {git_dir, without_slash(seen)};
  } else {
    return fail(ErrorCode::usage,
                tree + "/.git names a repository that does not point back to it: " + named,
                "git worktree repair mends it; or --no-protect-git, and name the repository");
  }
  return std::optional(std::move(found));
}

}  // namespace fabric
