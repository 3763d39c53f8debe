// SPDX-License-Identifier: Apache-2.0
#include "isolation/host_trees.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "isolation/host_path.hpp"

namespace fabric {

namespace {

Result<IdPair> owner_of(const Fd& place, const std::string& path) {
  struct stat status {};
  if (::fstat(place.get(), &status) != 0) return fail_errno(errno, path);
  return IdPair{status.st_uid, status.st_gid};
}

Result<Fd> open_mapped(const HostTree& tree, IdPair agent, IdMaps& maps) {
  const Fd place = TRY(open_resolved(tree.host, O_PATH));
  const IdPair owner = TRY(owner_of(place, tree.host));
  return open_mapped_tree(place, tree.host, *TRY(maps.get(owner, agent)), tree.read_only);
}

Result<Fd> open_plain(const HostTree& tree) {
  return open_plain_tree(TRY(open_resolved(tree.host, O_PATH)), tree.host, tree.read_only);
}

tl::unexpected<Error> cannot_map(const Error& why, const char* mend) {
  if (!why.hint.empty()) return fail(why);  // it says itself what mends it
  return fail(ErrorCode::unavailable,
              why.message + ": its file system cannot show files under another owner", mend);
}

}  // namespace

Result<Fd> open_work(const PathPlan& plan, IdPair agent, IdMaps& maps) {
  auto mapped = open_mapped(plan.work, agent, maps);
  if (mapped) return mapped;
  return cannot_map(mapped.error(),
                    "put the work directory on a file system that can be mapped (ext4, xfs, btrfs, "
                    "from Linux 6.3 tmpfs)");
}

Result<Fd> open_plain_work(const PathPlan& plan) { return open_plain(plan.work); }

Result<std::vector<Fd>> open_trees(const PathPlan& plan, IdPair agent, IdMaps& maps) {
  std::vector<Fd> opened;
  for (const HostTree& tree : plan.trees) {
    auto mapped = open_mapped(tree, agent, maps);
    if (!mapped && !tree.read_only)
      return cannot_map(mapped.error(),
                        "use a directory on ext4, xfs, btrfs or tmpfs, or give it with --ro");
    opened.push_back(mapped ? std::move(*mapped) : TRY(open_plain(tree)));
  }
  return opened;
}

}  // namespace fabric
