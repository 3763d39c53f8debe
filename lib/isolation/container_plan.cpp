// SPDX-License-Identifier: Apache-2.0
#include "isolation/container_plan.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string_view>

#include "isolation/host_path.hpp"
#include "isolation/split.hpp"

namespace fabric {

namespace {

constexpr size_t k_largest_file = size_t{1} << 20;

// "" when it is missing, no ordinary file, or too large to be what its name says.
std::string text_in(const Fd& root, const std::string& path) {
  auto file = open_in_root(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat status {};
  if (!file || ::fstat(file->get(), &status) != 0 || !S_ISREG(status.st_mode)) return "";
  std::string text = read_all(file->get(), k_largest_file).value_or("");
  if (text.find('\0') != std::string::npos) return "";
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  return text;
}

// Where it has no name programs like git and ssh do not know what to think of it.
void add_account(MountPlan& plan, const Fd& root, const std::string& file, uint32_t id,
                 const std::string& line) {
  if (find_account(root, file, std::to_string(id))) return;
  plan.push_back({wire::k_text_file, text_in(root, file) + line, file});
}

Result<std::vector<std::string>> directories_in(const Fd& root) {
  Fd again = TRY(open_at(root, ".", O_RDONLY | O_DIRECTORY));
  std::unique_ptr<DIR, int (*)(DIR*)> list(::fdopendir(again.get()), ::closedir);
  if (!list) return fail_errno(errno, "listing the root directory");
  again.release();
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(list.get())) {
    const std::string name = entry->d_name;
    struct stat status {};
    if (name == "." || name == ".." ||
        ::fstatat(root.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      continue;
    if (S_ISDIR(status.st_mode)) names.push_back(name);
  }
  return names;
}

constexpr std::array<std::string_view, 5> k_own{"proc", "dev", "sys", "work", "tmp"};
constexpr std::array<std::string_view, 9> k_system{"bin",   "boot",   "etc",  "lib", "lib32",
                                                   "lib64", "libx32", "sbin", "usr"};
template <size_t N>
bool is_one_of(const std::string& name, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The second wall: new entries of / itself cannot be made, what is in its directories can.
Status add_rights(MountPlan& plan, const Fd& root, bool fixed) {
  constexpr uint32_t k_look = wire::k_allow_read | wire::k_allow_list | wire::k_allow_execute;
  constexpr uint32_t k_change = wire::k_allow_write | wire::k_allow_truncate;
  plan.push_back({wire::k_allow, "", "", k_look});
  plan.push_back({wire::k_allow, "", "proc", k_change});
  plan.push_back({wire::k_allow, "", "dev", k_change | wire::k_allow_ioctl});
  for (const char* name : {"work", "tmp", "dev/shm"})
    plan.push_back({wire::k_allow, "", name, wire::k_allow_all});
  for (const std::string& name : TRY(directories_in(root)))
    if (!is_one_of(name, k_own) && !(fixed && is_one_of(name, k_system)))
      plan.push_back({wire::k_allow, "", name, wire::k_allow_all | wire::k_allow_if_there});
  return {};
}

}  // namespace

std::optional<Account> find_account(const Fd& root, const std::string& file,
                                    const std::string& name_or_id) {
  const std::string text = text_in(root, file);
  for (std::string_view line : split(text, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 4 || (fields[0] != name_or_id && fields[2] != name_or_id)) continue;
    return Account{std::string(fields[2]), std::string(fields[3])};
  }
  return std::nullopt;
}

Result<MountPlan> make_container_plan(const Fd& root, IdPair inside, bool fixed,
                                      const Limits& limits) {
  MountPlan plan;
  add_devices(plan);
  add_proc(plan);
  TRY_STATUS(add_rights(plan, root, fixed));
  plan.push_back({wire::k_directory, "", "etc", 0755});
  const std::string uid = std::to_string(inside.uid), gid = std::to_string(inside.gid);
  const std::string user = inside.uid == 0 ? "root" : "agent";
  add_account(plan, root, "etc/passwd", inside.uid,
              user + ":x:" + uid + ":" + gid + ":" + user + ":/work:/bin/sh\n");
  add_account(plan, root, "etc/group", inside.gid,
              std::string(inside.gid == 0 ? "root" : "agent") + ":x:" + gid + ":\n");
  plan.push_back({wire::k_text_file, k_hosts_text, "etc/hosts"});
  plan.push_back({wire::k_work, "", "work"});
  add_memory(plan, limits);
  return plan;
}

}  // namespace fabric
