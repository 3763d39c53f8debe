// SPDX-License-Identifier: Apache-2.0
// Rules about paths: what they come to, and which are refused.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "fixture.hpp"
#include "isolation/git_layout.hpp"
#include "isolation/host_path.hpp"
#include "isolation/path_glob.hpp"
#include "isolation/path_plan.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

void put(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << text;
}

// The kinds of steps for one target, as letters: what is done to it.
std::string steps_for(const PathPlan& plan, const std::string& target) {
  std::string letters;
  for (const MountStep& step : plan.steps) {
    if (step.target != target) continue;
    switch (step.kind) {
      case wire::k_tree:
        letters += (step.argument & wire::k_tree_read_only) != 0 ? "r" : "w";
        break;
      case wire::k_pin:
        letters += "p";
        break;
      case wire::k_no_write:
        letters += "n";
        break;
      case wire::k_cover:
        letters += (step.argument & wire::k_cover_open) != 0 ? "C" : "c";
        break;
      case wire::k_close:
        letters += "x";
        break;
      default:
        break;
    }
  }
  return letters;
}

bool wants(const PathPlan& plan, const std::string& relative) {
  return std::any_of(plan.wanted.begin(), plan.wanted.end(),
                     [&](const Placeholder& made) { return made.relative == relative; });
}

}  // namespace

TEST_CASE("patterns of paths") {
  CHECK(matches_pattern("/a/*/c", "/a/b/c"));
  CHECK_FALSE(matches_pattern("/a/*/c", "/a/b/b/c"));
  CHECK(matches_pattern("/a/**/c", "/a/c"));
  CHECK(matches_pattern("/a/**/c", "/a/b/b/c"));
  CHECK(matches_pattern("/a/**", "/a/b/c"));
  CHECK(matches_pattern("/**/*.pem", "/x/y.pem"));
  CHECK(matches_pattern("/**/b/**/d?", "/a/b/c/d/d1"));
  CHECK_FALSE(matches_pattern("/a/*.pem", "/a/x.pem.txt"));
  CHECK_FALSE(matches_pattern("/a/?", "/a/bc"));
  CHECK(fixed_part("/a/b*/c") == "/a");
  CHECK(fixed_part("/a/b/*") == "/a/b");
  CHECK(fixed_part("/**/x") == "/");
  // No exponential search.
  std::string stars = "/x", text = "/x";
  for (int i = 0; i < 50; ++i) stars += "/**/a", text += "/a/a";
  CHECK_FALSE(matches_pattern(stars + "/b", text));
}

TEST_CASE("paths of the host") {
  Fixture fixture;
  const std::string d = fixture.directory();
  put(d + "/real/dir/file", "x");
  std::filesystem::create_symlink("real/dir", d + "/link");
  std::filesystem::create_symlink(d + "/loop", d + "/loop");
  std::filesystem::create_symlink("../../link/file", d + "/real/dir/up");
  CHECK(resolve_host_path(d + "/link/file", {}).value() == d + "/real/dir/file");
  CHECK(resolve_host_path(d + "/real/dir/up", {}).value() == d + "/real/dir/file");
  CHECK_FALSE(resolve_host_path(d + "/loop", {}));
  CHECK_FALSE(resolve_host_path(d + "/absent", {}));
  CHECK_FALSE(resolve_host_path(d + "/link/file", {d}));
  CHECK_FALSE(resolve_host_path(d + "/real/dir/up", {d + "/real"}));
  CHECK(resolve_host_path(d + "/link/file", {d + "/real"}));
  CHECK(is_beneath("/a/b", "/a"));
  CHECK(is_beneath("/a", "/a"));
  CHECK_FALSE(is_beneath("/ab", "/a"));
  CHECK(is_beneath("/a", "/"));
  Fd root = open_file(d, O_PATH).value();
  CHECK_FALSE(open_beneath(root, "link/file", O_RDONLY));
  CHECK_FALSE(open_beneath(root, "..", O_RDONLY));
  CHECK(kind_beneath(root, "link") == PathKind::link);
  CHECK(kind_beneath(root, "link/file") == PathKind::absent);
  CHECK(kind_beneath(root, "real/dir/file") == PathKind::file);
  CHECK(kind_beneath(root, "") == PathKind::directory);
}

TEST_CASE("what rules come to") {
  Fixture fixture;
  const std::string d = fixture.directory() + "/project";
  put(d + "/a/b/c/file", "x");
  put(d + "/a/secret/key", "x");
  SandboxOptions options;
  options.work = d;
  options.no_write = {"/work/a/b/c", "/work/a/b/c/file", "/work/new/deep", "/work/new/deep/er",
                      "/usr/bin"};
  options.hidden = {"/work/a/secret", "/work/a/secret/key", "/work/gone", "/usr/share/none"};
  options.read_write = {d + "/a/b:/work/a/secret/inner", d + ":/same"};
  options.read_only = {d + ":/same", d + "/a:/ro"};
  PathPlan plan = plan_paths({options, fixture.work(""), ""}).value();
  CHECK_FALSE(plan.own_work);
  CHECK(steps_for(plan, "work").empty());
  CHECK(steps_for(plan, "work/a") == "p");
  CHECK(steps_for(plan, "work/a/b") == "p");
  CHECK(steps_for(plan, "work/a/b/c") == "n");
  CHECK(steps_for(plan, "work/a/b/c/file").empty());  // what it is in cannot be changed
  CHECK(steps_for(plan, "work/a/secret") == "Cx");
  CHECK(steps_for(plan, "work/a/secret/key").empty());
  CHECK(steps_for(plan, "work/a/secret/inner") == "w");
  CHECK(steps_for(plan, "work/new") == "p");
  CHECK(steps_for(plan, "work/new/deep") == "n");
  CHECK(steps_for(plan, "work/gone") == "c");
  CHECK(steps_for(plan, "same") == "r");
  CHECK(steps_for(plan, "ro") == "r");
  CHECK(steps_for(plan, "usr/bin").empty());
  CHECK(wants(plan, "new"));
  CHECK(wants(plan, "new/deep"));
  CHECK(wants(plan, "gone"));
  CHECK(plan.wanted.size() == 3);
  CHECK(plan.trees.size() == 3);
}

TEST_CASE("rules that are refused") {
  Fixture fixture;
  const std::string d = fixture.directory() + "/project";
  put(d + "/file", "x");
  put(d + "/w/fabric.toml", "");
  put(d + "/w/.fabric/agents/a/work/x", "");
  std::filesystem::create_symlink("file", d + "/link");
  const auto plan = [&](auto change) {
    SandboxOptions options;
    change(options);
    return plan_paths({options, fixture.work(""), d + "/w"});
  };
  using O = SandboxOptions;
  CHECK_FALSE(plan([&](O& o) { o.read_only = {d + "/file:/dev/x"}; }));
  CHECK_FALSE(plan([&](O& o) { o.work = d + "/file"; }));
  CHECK_FALSE(plan([&](O& o) { o.hidden = {"/tmp/x"}; }));
  CHECK_FALSE(plan([&](O& o) { o.read_write = {d + "/w/.fabric/run:/x"}; }));
  CHECK_FALSE(plan([&](O& o) { o.read_write = {d + ":/x"}; }).has_value());
  CHECK(plan([&](O& o) { o.read_only = {d + ":/x"}; }));
  CHECK(plan([&](O& o) { o.read_only = {d + "/w/.fabric/agents/a/work:/x"}; }));
  CHECK(plan([&](O& o) { o.read_write = {d + "/w:/x"}; }));
  CHECK_FALSE(plan([&](O& o) {
    o.read_write = {d + "/w:/x"};
    o.hidden = {"/x/fabric.toml/below"};
  }));
  std::filesystem::create_symlink("fabric.toml", d + "/w/link");
  CHECK_FALSE(plan([&](O& o) {
    o.read_write = {d + "/w:/x"};
    o.no_write = {"/x/link"};
  }));
}

TEST_CASE("repositories are found by what they are") {
  Fixture fixture;
  const std::string d = fixture.directory() + "/project";
  for (const char* repository : {".git", "sub/.git", "bare.git", ".git/modules/a/b"})
    for (const char* name : {"HEAD", "config", "objects/x", "refs/x"})
      put(d + "/" + repository + "/" + name, "");
  put(d + "/.git/worktrees/w/gitdir", "");
  put(d + "/.git/worktrees/w/commondir", "");
  put(d + "/deep/er/.git", "gitdir: x");
  put(d + "/other/fabric.toml", "");
  put(d + "/other/.fabric/x", "");
  auto found = find_protected_paths(open_file(d, O_PATH).value()).value();
  std::vector<std::string> names;
  for (const ProtectedPath& path : found) names.push_back((path.hide ? "-" : "") + path.relative);
  for (const char* name :
       {".git/config", ".git/hooks", ".git/commondir", "sub/.git/config", "bare.git/hooks",
        ".git/modules/a/b/config", ".git/modules/a/b/hooks", ".git/worktrees/w/gitdir",
        ".git/worktrees/w/commondir", "deep/er/.git", "other/fabric.toml", "-other/.fabric",
        ".git/config.worktree", ".git/info/attributes", ".git/worktrees/w/config.worktree"}) {
    INFO(name);
    CHECK(std::find(names.begin(), names.end(), name) != names.end());
  }
}

TEST_CASE("what we cannot make needs no placeholder, and is not promised", "[.][unprivileged]") {
  if (::geteuid() == 0) return;
  Fixture fixture;
  SandboxOptions options;
  options.read_write = {"/usr/share:/share"};
  options.protect_git = false;
  options.no_write = {"/share/fabric-absent"};
  auto plan = plan_paths({options, fixture.work(""), ""});
  REQUIRE(plan);
  CHECK(plan->wanted.empty());
  options.no_write.clear();
  options.hidden = {"/share/fabric-absent"};
  CHECK_FALSE(plan_paths({options, fixture.work(""), ""}));
}
