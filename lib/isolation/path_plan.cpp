// SPDX-License-Identifier: Apache-2.0
#include "isolation/path_plan.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <map>

#include "isolation/host_path.hpp"
#include "isolation/mount_info.hpp"
#include "isolation/path_glob.hpp"
#include "isolation/path_nodes.hpp"
#include "isolation/tree_walk.hpp"
#include "isolation/workspace_guard.hpp"
#include "model/sandbox_rules.hpp"

namespace fabric {

namespace {

constexpr size_t k_most_trees = 64;  // each is a descriptor of one message (SCM_MAX_FD is 253)
const std::string k_work = "/work";

class Planner {
 public:
  explicit Planner(const PathRequest& request) : request_(request) {}

  Result<PathPlan> run() {
    for (const std::string& text : request_.options.read_write)
      if (auto host = resolve_host_path(TRY(parse_path_rule(text)).host, {}))
        changeable_.push_back(std::move(*host));
    TRY_STATUS(add_work());
    if (!request_.walls) return std::move(plan_);
    TRY_STATUS(add_trees());
    TRY_STATUS(add_common_git_dirs());
    if (trees_.size() > k_most_trees)
      return fail(ErrorCode::usage, "more than 64 directories of the host in one sandbox",
                  "give it a directory that holds several of them");
    TRY_STATUS(add_rules(request_.options.hidden, true));
    TRY_STATUS(add_rules(request_.options.no_write, false));
    for (const HostTree& tree : trees_) TRY_STATUS(protect(tree));
    TRY_STATUS(prepare_mount_points());
    nodes_.emit(plan_.steps, plan_.trees);
    plan_.steps.insert(plan_.steps.end(), patterns_.begin(), patterns_.end());
    return std::move(plan_);
  }

 private:
  Status add_work() {
    const std::string& named = request_.options.work;
    plan_.own_work = named.empty();
    if (named.empty() && request_.own_work.empty()) {  // one in memory
      plan_.work.inside = k_work;
      return {};
    }
    const std::string host =
        TRY(resolve_host_path(named.empty() ? request_.own_work : named, changeable_));
    if (!std::filesystem::is_directory(host))
      return fail(ErrorCode::usage, host + ": not a directory");
    plan_.work = {host, k_work, false};
    if (!plan_.own_work) TRY_STATUS(check_workspace(plan_.work, request_.workspace));
    changeable_.push_back(host);
    PathNode& node = nodes_.at(k_work);
    node.tree = plan_.work;
    node.work = true;
    if (!plan_.own_work) trees_.push_back(plan_.work);
    return {};
  }

  // Those that can be changed first, parents before what is in them: links in them are not
  // followed, whichever rule gives the directory that they are in, and by whatever name.
  Status add_trees() {
    for (const bool read_only : {false, true}) {
      std::vector<PathRule> rules;
      for (const std::string& text :
           read_only ? request_.options.read_only : request_.options.read_write)
        rules.push_back(TRY(parse_path_rule(text)));
      std::sort(rules.begin(), rules.end(),
                [](const PathRule& a, const PathRule& b) { return a.host.size() < b.host.size(); });
      for (const PathRule& rule : rules) TRY_STATUS(add_tree(rule, read_only));
    }
    return {};
  }

  Status add_tree(const PathRule& rule, bool read_only) {
    for (const char* reserved : {"/proc", "/dev", "/sys"})
      if (is_beneath(rule.inside, reserved))
        return fail(ErrorCode::usage, rule.inside + ": a sandbox has its own " + reserved,
                    "choose another place: HOST:INSIDE");
    HostTree tree{TRY(resolve_host_path(rule.host, changeable_)), rule.inside, read_only};
    if (!request_.root.empty()) tree.inside = TRY(resolve_in_root(request_.root, rule.inside));
    TRY_STATUS(check_workspace(tree, request_.workspace));
    PathNode& node = nodes_.at(tree.inside);
    node.tree = tree;  // a read-only one comes later, and wins
    node.work = false;
    std::erase_if(trees_, [&](const HostTree& other) { return other.inside == tree.inside; });
    trees_.push_back(std::move(tree));
    return {};
  }

  // A worktree or a submodule keeps its objects in the repository that it belongs to.
  Status add_common_git_dirs() {
    if (!request_.options.protect_git) return {};
    const std::vector<HostTree> named = trees_;
    for (const HostTree& tree : named) {
      if (tree.read_only || !std::filesystem::is_directory(tree.host)) continue;
      auto found = TRY(find_common_git_dir(tree.host, tree.inside, changeable_));
      if (!found) continue;
      const PathNode* there = nodes_.tree_of(found->inside);
      if (there != nullptr) {
        const HostTree& t = *there->tree;
        if (join_path(t.host, relative_to(found->inside, t.inside)) == found->host) continue;
      }
      TRY_STATUS(add_tree({found->host, found->inside}, false));
    }
    return {};
  }

  // Short ones first: nothing is made or pinned in what is hidden anyway.
  Status add_rules(std::vector<std::string> rules, bool hide) {
    std::sort(rules.begin(), rules.end(),
              [](const std::string& a, const std::string& b) { return a.size() < b.size(); });
    for (const std::string& text : rules) {
      const std::string path = TRY(parse_inside_path(text));
      if (is_pattern(path))
        TRY_STATUS(deny_matches(path, hide));
      else
        TRY_STATUS(deny(path, hide, Stand::file));
    }
    return {};
  }

  // Those that exist now, and the init looks again before each task. Where the pattern says nothing
  // of a tree there is nothing to look at.
  Status deny_matches(const std::string& pattern, bool hide) {
    const std::string fixed = fixed_part(pattern);
    std::vector<HostTree> places = trees_;
    if (nodes_.at(k_work).work && plan_.own_work) places.push_back(plan_.work);
    if (!request_.root.empty()) places.push_back({request_.root, "/", false});
    for (const HostTree& tree : places) {
      if (!is_beneath(fixed, tree.inside) && !is_beneath(tree.inside, fixed)) continue;
      auto root = open_resolved(tree.host, O_PATH | O_DIRECTORY);
      if (!root) continue;  // a file
      const std::string start =
          is_beneath(fixed, tree.inside) ? relative_to(fixed, tree.inside) : "";
      patterns_.push_back({wire::k_pattern, join_path(tree.inside, start), pattern,
                           hide ? uint64_t{wire::k_pattern_hides} : 0});
      std::vector<std::string> found;
      const auto visit = [&](const std::string& at, std::vector<TreeEntry>& in) {
        std::erase_if(in, [&](const TreeEntry& entry) {
          const std::string path = join_path(join_path(tree.inside, at), entry.name);
          if (entry.link || !matches_pattern(pattern, path)) return false;
          found.push_back(path);
          return true;
        });
        return Status();
      };
      const auto closed = [&](const std::string& at) {  // all of it may match
        if (at.empty())
          return Status(fail(ErrorCode::usage, tree.host + ": closed to its owner", "chmod u+rx"));
        found.push_back(join_path(tree.inside, at));
        return Status();
      };
      TRY_STATUS(walk_tree(*root, start, visit, closed));
      for (const std::string& path : found) {
        const PathNode* place = nodes_.tree_of(path);
        if ((place == nullptr ? "/" : place->tree->inside) == tree.inside)
          TRY_STATUS(deny(path, hide, Stand::none));
      }
    }
    return {};
  }

  Status deny(const std::string& inside, bool hide, Stand stand) {
    const PathNode* place = nodes_.tree_of(inside);
    if (place == nullptr) return deny_outside_of_trees(inside, hide);
    if (nodes_.in_hidden(inside)) return {};
    const HostTree tree = *place->tree;
    const bool made = hide || !tree.read_only;
    if (inside != tree.inside) {
      const bool there =
          TRY(look_at(tree, inside, !tree.read_only, made ? stand : Stand::none, hide));
      if (!there) return {};
    }
    PathNode& node = nodes_.at(inside);
    (hide ? node.hide : node.no_write) = true;
    if (inside == tree.inside && !hide && node.tree) node.tree->read_only = true;
    return {};
  }

  // The system directories, which are read-only: only hiding what is there means anything. They
  // cannot hold an agent's links.
  Status deny_outside_of_trees(const std::string& inside, bool hide) {
    for (const char* own : {"/tmp", "/dev/shm"})
      if (is_beneath(inside, own))
        return fail(ErrorCode::usage,
                    inside + " is memory of the agent's own: nothing is there yet",
                    "leave the rule out");
    if (!request_.root.empty()) return deny_in_own_root(inside, hide);
    if (!hide) return {};
    std::error_code error;
    const std::filesystem::path real = std::filesystem::canonical(inside, error);
    PathNode& node = nodes_.at(error ? inside : real.string());
    node.hide = node.if_exists = true;
    return {};
  }

  // Level container: what is not there yet is made, so that the agent cannot.
  Status deny_in_own_root(const std::string& inside, bool hide) {
    const std::string path = TRY(resolve_in_root(request_.root, inside));
    for (const char* own : {"/proc", "/dev", "/sys"})
      if (is_beneath(path, own))
        return fail(ErrorCode::usage, inside + ": a sandbox has its own " + own,
                    "leave the rule out");
    for (size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      PathNode& above = nodes_.at(path.substr(0, slash));
      above.pin = above.if_exists = true;
    }
    PathNode& node = nodes_.at(path);
    (hide ? node.hide : node.no_write) = node.make = true;
    return {};
  }

  // Whether something will be at `inside` in `tree`: it exists, or placeholders stand for it and
  // for its directories. Pins what is on the way. Links on the way are refused: what is behind them
  // has another name, under which it would stay reachable.
  Result<bool> look_at(const HostTree& tree, const std::string& inside, bool pin, Stand stand,
                       bool hide = false) {
    const std::string relative = relative_to(inside, tree.inside);
    auto root = open_resolved(tree.host, O_PATH | O_DIRECTORY);
    if (!root) return fail(ErrorCode::usage, inside + ": " + tree.host + " is not a directory");
    std::vector<std::string> pins;
    for (size_t end = 0; end != relative.size();) {
      end = std::min(relative.find('/', end + (end == 0 ? 0 : 1)), relative.size());
      const std::string at = relative.substr(0, end);
      const bool last = end == relative.size();
      const std::string host = join_path(tree.host, at);
      const Stand planned = planned_at(host);
      // A file that we make: nothing will be in it.
      if (planned != Stand::none && !last && planned != Stand::directory) return false;
      const PathKind kind = planned != Stand::none ? PathKind::directory : kind_beneath(*root, at);
      if (kind == PathKind::link)
        return fail(ErrorCode::usage, host + " is a link, which cannot be hidden or protected",
                    "name what it points to; for a repository's hooks or config: --no-protect-git");
      if (kind == PathKind::absent && stand == Stand::none) return false;
      // Where we cannot make it the agent cannot either. Unless the directory is ours, and so
      // perhaps its own, to open: then that stays as it is.
      if (const int why = kind == PathKind::absent ? cannot_make_in(tree, at) : 0) {
        if (why == EACCES && !hide && is_ours(tree, at))
          return keep_as_it_is(tree, pins.empty() ? tree.inside : pins.back(), std::move(pins));
        if (!hide || why == EROFS) return false;
        return fail(ErrorCode::usage, host + " does not exist, and its name cannot be taken",
                    "make it, or leave the rule out");
      }
      if (kind == PathKind::absent)
        want({tree.host, at, last ? stand : Stand::directory});
      else if (!last && kind != PathKind::directory)
        return fail(ErrorCode::usage,
                    host + " is not a directory, so " + inside + " cannot be in it",
                    "correct the rule");
      else
        plan_.present.push_back(host);
      if (!last) pins.push_back(join_path(tree.inside, at));
    }
    if (pin)
      for (const std::string& at : pins) nodes_.at(at).pin = true;
    return true;
  }

  void want(Placeholder placeholder) {
    planned_.emplace(join_path(placeholder.tree, placeholder.relative), placeholder.stand);
    plan_.wanted.push_back(std::move(placeholder));
  }

  [[nodiscard]] Stand planned_at(const std::string& host) const {
    const auto found = planned_.find(host);
    return found == planned_.end() ? Stand::none : found->second;
  }

  // An errno, or 0. A directory that is not there yet will be ours.
  static int cannot_make_in(const HostTree& tree, const std::string& relative) {
    const size_t slash = relative.rfind('/');
    const std::string parent =
        slash == std::string::npos ? tree.host : join_path(tree.host, relative.substr(0, slash));
    const bool may = ::faccessat(AT_FDCWD, parent.c_str(), W_OK, AT_EACCESS) == 0;
    return may || errno == ENOENT ? 0 : errno;
  }

  static bool is_ours(const HostTree& tree, const std::string& relative) {  // what it is in
    const size_t slash = relative.rfind('/');
    const std::string parent =
        slash == std::string::npos ? tree.host : join_path(tree.host, relative.substr(0, slash));
    struct stat status {};
    return ::lstat(parent.c_str(), &status) == 0 && status.st_uid == ::geteuid();
  }

  // Returns false: what was looked for is not there, and will not be.
  bool keep_as_it_is(const HostTree& tree, const std::string& inside,
                     const std::vector<std::string>& on_the_way) {
    for (const std::string& above : on_the_way) nodes_.at(above).pin = true;
    PathNode& node = nodes_.at(inside);
    node.no_write = true;
    if (inside == tree.inside && node.tree) node.tree->read_only = true;
    return false;
  }

  // Of one tree that the user named: the workspace's files, repositories, and other file systems
  // than ordinary ones.
  Status protect(const HostTree& tree) {
    const std::string& root = request_.workspace;
    if (!root.empty() && is_beneath(root, tree.host)) {
      const std::string at = join_path(tree.inside, relative_to(root, tree.host));
      TRY_STATUS(deny(join_path(at, ".fabric"), true, Stand::directory));
      if (!tree.read_only) {
        TRY_STATUS(deny(join_path(at, "fabric.toml"), false, Stand::none));
        for (const char* name : {"policies", "agents"})
          TRY_STATUS(deny(join_path(at, name), false, Stand::directory));
      }
    }
    TRY_STATUS(cover_special_mounts(tree));
    if (tree.read_only || !request_.options.protect_git) return {};
    auto directory = open_resolved(tree.host, O_PATH | O_DIRECTORY);
    if (!directory) return {};
    for (const ProtectedPath& path : TRY(find_protected_paths(*directory))) {
      const std::string inside = join_path(tree.inside, path.relative);
      if (nodes_.tree_of(inside)->tree->inside != tree.inside || nodes_.in_hidden(inside)) continue;
      TRY_STATUS(deny(inside, path.hide, path.stand));
    }
    return {};
  }

  // A recursive mount brings file systems that are about the machine: /proc of the host would show
  // its processes.
  Status cover_special_mounts(const HostTree& tree) {
    if (tree.host == "/")
      for (const char* name : {"proc", "sys", "dev", "run"})
        if (std::filesystem::is_directory(std::string("/") + name))
          nodes_.at(join_path(tree.inside, name)).hide = true;
    const std::string mounts =
        request_.mounts.empty() ? read_file("/proc/self/mountinfo").value_or("") : request_.mounts;
    for (const MountInfo& mount : parse_mount_info(mounts)) {
      const std::string& point = mount.point;
      if (point == tree.host || !is_beneath(point, tree.host) || !is_special(mount.type)) continue;
      nodes_.at(join_path(tree.inside, relative_to(point, tree.host))).hide = true;
    }
    return {};
  }

  static bool is_special(const std::string& type) {
    static constexpr std::array k_types = {
        "proc",     "sysfs",     "cgroup",     "cgroup2", "devpts",    "devtmpfs",    "mqueue",
        "debugfs",  "tracefs",   "securityfs", "pstore",  "bpf",       "configfs",    "fusectl",
        "efivarfs", "hugetlbfs", "autofs",     "nsfs",    "selinuxfs", "binfmt_misc", "rpc_pipefs"};
    return std::find(k_types.begin(), k_types.end(), type) != k_types.end();
  }

  // A tree is mounted on something: in another tree that must exist, or be made for the while.
  Status prepare_mount_points() {
    for (const HostTree& tree : trees_) {
      if (tree.inside == k_work || nodes_.in_hidden(tree.inside)) continue;
      const size_t slash = tree.inside.rfind('/');
      const PathNode* place = slash == 0 ? nullptr : nodes_.tree_of(tree.inside.substr(0, slash));
      if (place == nullptr) continue;
      const HostTree below = *place->tree;
      const bool directory = std::filesystem::is_directory(tree.host);
      const Stand stand = below.read_only ? Stand::none
                          : directory     ? Stand::directory
                                          : Stand::file;
      const bool pin = !below.read_only && tree.read_only;
      if (!TRY(look_at(below, tree.inside, pin, stand)))
        return fail(ErrorCode::usage,
                    tree.inside + " is not in " + below.host + ", which is read-only",
                    "make it, or choose another place: HOST:INSIDE");
    }
    return {};
  }

  const PathRequest& request_;
  PathPlan plan_;
  std::map<std::string, Stand> planned_;  // of plan_.wanted, by host path
  PathNodes nodes_;
  MountPlan patterns_;
  std::vector<HostTree> trees_;  // that the user named, the work directory among them
  std::vector<std::string> changeable_;
};

}  // namespace

Result<PathPlan> plan_paths(const PathRequest& request) { return Planner(request).run(); }

}  // namespace fabric
