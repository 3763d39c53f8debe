// SPDX-License-Identifier: Apache-2.0
#include "isolation/container.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>

#include "isolation/container_plan.hpp"
#include "isolation/degrade.hpp"
#include "isolation/host_path.hpp"
#include "isolation/image_store.hpp"

namespace fabric {

namespace {

constexpr const char* k_usual_path =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
// Of a directory: nobody in particular, as at level process.
constexpr IdPair k_agent{1000, 1000};

std::optional<uint32_t> number_in(std::string_view text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return {};
  return value;
}

Result<uint32_t> account_id(const Fd& root, const char* file, const std::string& name) {
  if (const auto number = number_in(name)) return *number;
  const auto account = find_account(root, file, name);
  if (const auto id = account ? number_in(account->id) : std::nullopt) return *id;
  return fail(ErrorCode::usage, "its user is " + name + ", whom its /" + file + " does not know");
}

// As docker has it: an image that names nobody runs as root, which here is root of its own user
// namespace, without capabilities.
Result<IdPair> user_of(const Fd& root, const std::string& user) {
  const size_t colon = user.find(':');
  const std::string name = user.substr(0, colon);
  IdPair ids;
  if (!name.empty()) {
    ids.uid = TRY(account_id(root, "etc/passwd", name));
    if (const auto account = find_account(root, "etc/passwd", std::to_string(ids.uid)))
      ids.gid = number_in(account->fourth).value_or(0);
  }
  if (colon != std::string::npos)
    ids.gid = TRY(account_id(root, "etc/group", user.substr(colon + 1)));
  if (ids.uid >= k_ids_of_a_range || ids.gid >= k_ids_of_a_range)
    return fail(ErrorCode::usage, "its user is " + user + ", and ids end at 65535");
  return ids;
}

Status make_layer(const std::string& path, unsigned mode, bool as_root) {
  if (::mkdir(path.c_str(), mode) != 0) return errno == EEXIST ? Status() : fail_errno(errno, path);
  if (as_root && ::lchown(path.c_str(), k_ids_on_disk, k_ids_on_disk) != 0)
    return fail_errno(errno, path);
  return {};
}

// Changes are to one root file system; over another one they would make no sense.
Result<std::string> make_changes(const std::string& directory, const std::string& lower,
                                 bool as_root) {
  uint64_t hash = 1469598103934665603U;
  for (const char c : lower) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  std::array<char, 20> name{};
  std::snprintf(name.data(), name.size(), "/%016llx", static_cast<unsigned long long>(hash));
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, directory);
  const std::string place = directory + name.data();
  TRY_STATUS(make_layer(place, 0700, as_root));
  TRY_STATUS(make_layer(place + "/" + wire::k_upper_name, 0755, as_root));
  TRY_STATUS(make_layer(place + "/" + wire::k_overlay_work_name, 0700, as_root));
  return place;
}

// Directories that are no root file system themselves.
bool is_layout(const std::string& directory) {
  return ::access((directory + "/index.json").c_str(), F_OK) == 0 &&
         ::access((directory + "/oci-layout").c_str(), F_OK) == 0;
}

}  // namespace

Result<ContainerRoot> find_container_root(const SandboxSpec& spec, const std::string& init_binary) {
  const std::string path = TRY(resolve_host_path(spec.options.root, {}));
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return fail_errno(errno, path);
  if (path == "/")
    return fail(ErrorCode::usage, "the host's root directory is no root for a container",
                "use isolation level process, or a directory made by debootstrap or the like");
  if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode))
    return fail(ErrorCode::usage, path + ": neither a directory nor an archive");
  if (S_ISDIR(status.st_mode) && !is_layout(path)) return ContainerRoot{path, false, {}};
  StoredImage image = TRY(
      in_context(store_image(path, S_ISDIR(status.st_mode), spec.image_store, init_binary), path));
  return ContainerRoot{std::move(image.directory), true, std::move(image.config)};
}

Result<Container> prepare_container(const SandboxSpec& spec, ContainerRoot found, IdPair self) {
  Container container;
  container.root = std::move(found);
  const ContainerRoot& root = container.root;
  const Fd directory = TRY(open_resolved(root.directory, O_RDONLY | O_DIRECTORY));
  container.inside = k_agent;
  if (root.unpacked)
    container.inside = TRY(in_context(user_of(directory, root.image.user), spec.options.root));
  const bool as_root = self.uid == 0;
  if (as_root) container.range = TRY(take_id_range());
  if (!spec.changes_dir.empty())
    container.changes = TRY(make_changes(spec.changes_dir, root.directory, as_root));
  return container;
}

std::vector<int> ContainerParts::descriptors(const Container& container) const {
  std::vector<int> list;
  for (const Fd* fd : {&lower, &upper})
    if (fd->valid()) list.push_back(fd->get());
  if (container.range) list.push_back(container.range->lock.get());
  return list;
}

Result<ContainerParts> open_container(const Container& container, IdMaps& maps,
                                      const SandboxSpec& spec, std::vector<std::string>& degraded) {
  ContainerParts parts;
  if (!container.range) return parts;
  const uint32_t first = container.range->first;
  const IdPair inside{first, first}, disk{k_ids_on_disk, k_ids_on_disk};
  const Fd place = TRY(open_resolved(container.root.directory, O_PATH | O_DIRECTORY));
  const Fd* map =
      TRY(maps.get(container.root.unpacked ? disk : IdPair{}, inside, k_ids_of_a_range));
  auto lower = open_mapped_directory(place, container.root.directory, *map, true);
  if (!lower) {
    TRY_STATUS(weaken(spec, degraded,
                      "the files of the root file system belong to nobody inside, and only what "
                      "everybody may read can be read",
                      lower.error().message,
                      "put it on a file system that can be mapped (ext4, xfs, btrfs, from Linux "
                      "6.3 tmpfs)"));
    lower = open_plain_tree(place, container.root.directory, true);
  }
  parts.lower = TRY(std::move(lower));
  if (container.changes.empty()) return parts;
  const Fd changes = TRY(open_resolved(container.changes, O_PATH | O_DIRECTORY));
  const Fd* upper_map = TRY(maps.get(disk, inside, k_ids_of_a_range));
  auto upper = open_mapped_directory(changes, container.changes, *upper_map);
  if (!upper)
    return fail(ErrorCode::unavailable,
                upper.error().message + ": the agent's changes cannot be kept there",
                "put the workspace on a file system that can be mapped (ext4, xfs, btrfs)");
  parts.upper = std::move(*upper);
  return parts;
}

void map_ids(const Container& container, Launch& launch) {
  if (container.range) {
    launch.range = IdSpan{0, container.range->first, k_ids_of_a_range};
  } else {
    launch.own_uid = container.inside.uid;
    launch.own_gid = container.inside.gid;
  }
}

Status describe_container(const Container& container, const SandboxSpec& spec, InitSpec& init) {
  const Fd root = TRY(open_resolved(container.root.directory, O_RDONLY | O_DIRECTORY));
  init.flags |= wire::k_container;
  init.uid = container.inside.uid;
  init.gid = container.inside.gid;
  ContainerLayers& layers = init.container;
  if (container.changes.empty()) layers.flags |= wire::k_upper_memory;
  if (container.range) {
    layers.flags |= wire::k_lower_given | wire::k_range_lock;
    if (!container.changes.empty()) layers.flags |= wire::k_upper_given;
  }
  layers.lower = container.root.directory;
  layers.upper = container.changes;
  layers.upper_bytes =
      spec.limits.memory_bytes != 0 ? spec.limits.memory_bytes / 2 : k_memory_default;
  const bool no_work = spec.work_dir.empty() && spec.options.work.empty();
  if (no_work) layers.start_dir = container.root.image.working_dir;
  // Who needs to change them names an image, which says as whom. Made by an ordinary user, his own
  // id owns them all.
  const bool fixed = !container.root.unpacked;
  init.mounts = TRY(make_container_plan(root, container.inside, fixed, spec.limits));
  std::string path = k_usual_path;
  for (const std::string& variable : container.root.image.env) {
    if (variable.starts_with("PATH=")) path = variable;
    init.mounts.push_back({wire::k_default_variable, variable, ""});
  }
  init.mounts.push_back({wire::k_default_variable, path, ""});
  if (init.path_env.empty()) init.path_env = path.substr(5);
  return {};
}

}  // namespace fabric
