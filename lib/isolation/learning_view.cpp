// SPDX-License-Identifier: Apache-2.0
#include "isolation/learning_view.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "base/fd.hpp"
#include "isolation/init_wire.hpp"
#include "isolation/mount_info.hpp"
#include "model/sandbox_rules.hpp"

namespace fabric {

namespace {

namespace fs = std::filesystem;

constexpr std::array k_not_shown{"tmp", "run", "sys", "proc", "dev", "boot", "work", "lost+found"};

// Below each home directory: keys, tokens, passwords, cookies, and what shells remember.
constexpr std::array k_secrets{".ssh",
                               ".gnupg",
                               ".aws",
                               ".azure",
                               ".config/gcloud",
                               ".kube",
                               ".docker",
                               ".netrc",
                               ".git-credentials",
                               ".config/git/credentials",
                               ".config/gh",
                               ".config/hub",
                               ".config/glab-cli",
                               ".config/op",
                               ".npmrc",
                               ".yarnrc.yml",
                               ".pypirc",
                               ".cargo/credentials",
                               ".cargo/credentials.toml",
                               ".gem/credentials",
                               ".m2/settings.xml",
                               ".pgpass",
                               ".my.cnf",
                               ".vault-token",
                               ".terraform.d",
                               ".password-store",
                               ".local/share/keyrings",
                               ".local/share/kwalletd",
                               ".local/state/fabric",
                               ".mozilla",
                               ".thunderbird",
                               ".config/google-chrome",
                               ".config/chromium",
                               ".config/BraveSoftware",
                               ".bash_history",
                               ".zsh_history",
                               ".python_history",
                               ".psql_history",
                               ".mysql_history",
                               ".claude",
                               ".codex"};

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error))
    names.push_back(at->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

bool beneath(std::string_view path, std::string_view directory) {
  return path == directory || (path.starts_with(directory) && path[directory.size()] == '/');
}

// Of a rule that puts something elsewhere than it is on the host: its place must be made, which
// cannot be done in what is shown.
bool in_the_way_of_rules(const SandboxOptions& options, const std::string& directory) {
  for (const auto* rules : {&options.read_only, &options.read_write})
    for (const std::string& text : *rules) {
      const auto rule = parse_path_rule(text);
      std::error_code error;
      if (rule && beneath(rule->inside, directory) && !fs::exists(rule->inside, error)) return true;
    }
  return false;
}

void show(MountPlan& plan, const std::string& target) {
  std::error_code error;
  const fs::path path = "/" + target;
  const fs::file_status status = fs::symlink_status(path, error);
  MountStep step{wire::k_bind_file, path.string(), target, wire::k_shown_to_learn};
  if (fs::is_symlink(status)) {
    step.kind = wire::k_symlink;
    step.source = fs::read_symlink(path, error).string();
  } else if (fs::is_directory(status)) {
    step.kind = wire::k_bind_dir;
  } else if (!fs::is_regular_file(status)) {
    return;
  }
  if (!error) plan.push_back(std::move(step));
}

// Nothing is to be seen of it, also where a link leads there.
void cover(MountPlan& plan, const std::vector<std::string>& shown, const std::string& path) {
  std::error_code error;
  const std::string real = fs::canonical(path, error).string();
  if (error || real == "/") return;
  const bool is_shown = std::any_of(shown.begin(), shown.end(), [&](const std::string& directory) {
    return beneath(real, "/" + directory);
  });
  if (is_shown) plan.push_back({wire::k_cover, "", real.substr(1), wire::k_if_exists});
}

// /proc of another system, say: a recursive mount brings them along.
void cover_special_mounts(MountPlan& plan, const std::vector<std::string>& shown) {
  static constexpr std::array k_ordinary{"ext2",    "ext3",    "ext4", "xfs",  "btrfs",
                                         "overlay", "zfs",     "nfs",  "nfs4", "vfat",
                                         "tmpfs",   "fuseblk", "9p",   "f2fs", "virtiofs"};
  const std::string mounts = read_file("/proc/self/mountinfo").value_or("");
  for (const MountInfo& mount : parse_mount_info(mounts))
    if (std::find(k_ordinary.begin(), k_ordinary.end(), mount.type) == k_ordinary.end())
      cover(plan, shown, mount.point);
}

}  // namespace

std::vector<std::string> known_secrets() {
  std::set<std::string> homes{"/root"};
  for (const std::string& name : names_in("/home")) homes.insert("/home/" + name);
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') homes.insert(home);
  std::set<std::string> found;
  for (const std::string& home : homes)
    for (const char* secret : k_secrets) {
      std::error_code error;
      const fs::path real = fs::canonical(home + "/" + secret, error);
      if (!error && real != "/") found.insert(real.string());
    }
  return {found.begin(), found.end()};
}

void show_the_host(MountPlan& plan, const SandboxOptions& options, const std::string& workspace) {
  std::set<std::string> own;
  for (const MountStep& step : plan) own.insert(step.target);
  std::vector<std::string> shown;
  const auto add = [&](const std::string& target) {
    if (own.count(target) != 0 || in_the_way_of_rules(options, "/" + target)) return;
    show(plan, target);
    shown.push_back(target);
  };
  for (const std::string& name : names_in("/")) {
    const bool not_shown =
        std::find(k_not_shown.begin(), k_not_shown.end(), name) != k_not_shown.end();
    if (!not_shown && name != "etc") add(name);
  }
  for (const std::string& name : names_in("/etc")) {
    // Of its network it is told by files of its own, or by none.
    static constexpr std::array k_of_network{"resolv.conf", "gai.conf", "host.conf"};
    const bool of_network =
        std::find(k_of_network.begin(), k_of_network.end(), name) != k_of_network.end();
    if (!of_network && name != "ssl" && name != "fabric") add("etc/" + name);
  }
  cover_special_mounts(plan, shown);
  for (const std::string& secret : known_secrets()) cover(plan, shown, secret);
  if (!workspace.empty()) cover(plan, shown, workspace + "/.fabric");
  for (const std::string& text : options.secrets)
    if (const auto rule = parse_secret_rule(text); rule && rule->from_file)
      cover(plan, shown, rule->source);
}

}  // namespace fabric
