// SPDX-License-Identifier: Apache-2.0
#include "image/layer_unpack.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <vector>

namespace fabric {

namespace {

constexpr std::string_view k_whiteout = ".wh.";
constexpr std::string_view k_opaque = ".wh..wh..opq";
constexpr size_t k_most_parts = 256;  // of a name
constexpr uint64_t k_ids = 65536;

int open_in_root(int root, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<__u64>(static_cast<unsigned>(flags | O_CLOEXEC));
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  return static_cast<int>(
      ::syscall(SYS_openat2, root, path.empty() ? "." : path.c_str(), &how, sizeof how));
}

// "a/b/c" without ".", "//" and what tar writes before absolute names. ".." has no business there.
Result<std::string> clean_name(const std::string& name) {
  std::string clean;
  size_t parts = 0;
  for (size_t begin = 0; begin < name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..")
      return fail(ErrorCode::usage, "a layer wants to write outside of the image: " + name);
    if (++parts > k_most_parts)
      return fail(ErrorCode::usage, "a layer has directories nested too deep");
    if (!clean.empty()) clean += '/';
    clean += part;
  }
  return clean;
}

bool is_directory(int at, const std::string& name) {
  struct stat status {};
  return ::fstatat(at, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

// Without following links. What is not there is gone already.
Status remove_all(int at, const std::string& name) {
  if (::unlinkat(at, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return fail_errno(errno, "removing " + name);
  if (::unlinkat(at, name.c_str(), AT_REMOVEDIR) == 0) return {};
  const int fd = ::openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  std::unique_ptr<DIR, int (*)(DIR*)> list(fd < 0 ? nullptr : ::fdopendir(fd), ::closedir);
  if (!list) return fail_errno(errno, "removing " + name);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(list.get())) {
    const std::string child = entry->d_name;
    if (child != "." && child != "..") names.push_back(child);
  }
  for (const std::string& child : names) TRY_STATUS(remove_all(fd, child));
  if (::unlinkat(at, name.c_str(), AT_REMOVEDIR) == 0) return {};
  return fail_errno(errno, "removing " + name);
}

}  // namespace

// Of a member: its directory, which exists, and its last name. Root: neither.
struct LayerUnpacker::Place {
  int parent = -1;
  std::string path, name;
};

// Links on the way are followed, as other unpackers do, within the root.
Result<int> LayerUnpacker::parent_of(const std::string& parent) {
  if (parent_ && parent == parent_name_) return parent_.get();
  int fd = open_in_root(root_.get(), parent, O_PATH | O_DIRECTORY);
  for (size_t end = 0; fd < 0 && errno == ENOENT && end != parent.size();) {
    end = std::min(parent.find('/', end + (end == 0 ? 0 : 1)), parent.size());
    const std::string part = parent.substr(0, end);
    const size_t slash = part.rfind('/');
    const Fd above(open_in_root(root_.get(),
                                slash == std::string::npos ? "" : part.substr(0, slash),
                                O_PATH | O_DIRECTORY));
    if (!above) break;
    const std::string name = slash == std::string::npos ? part : part.substr(slash + 1);
    if (::mkdirat(above.get(), name.c_str(), 0755) == 0)
      made_.insert(part);
    else if (errno != EEXIST)
      break;
    if (end == parent.size()) fd = open_in_root(root_.get(), parent, O_PATH | O_DIRECTORY);
    errno = ENOENT;
  }
  if (fd < 0) return fail_errno(errno, "the directory " + parent);
  parent_ = Fd(fd);
  parent_name_ = parent;
  return fd;
}

Result<LayerUnpacker::Place> LayerUnpacker::find_place(const std::string& name) {
  Place place;
  place.path = TRY(clean_name(name));
  if (place.path.empty()) return place;
  const size_t slash = place.path.rfind('/');
  place.name = slash == std::string::npos ? place.path : place.path.substr(slash + 1);
  place.parent = TRY(parent_of(slash == std::string::npos ? "" : place.path.substr(0, slash)));
  return place;
}

// What lower layers put into the directory.
Status LayerUnpacker::clear_older(const Place& place) {
  const int fd = ::openat(place.parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  std::unique_ptr<DIR, int (*)(DIR*)> list(fd < 0 ? nullptr : ::fdopendir(fd), ::closedir);
  if (!list) return fail_errno(errno, "a layer: clearing " + place.path);
  const std::string above = place.path.substr(0, place.path.size() - place.name.size());
  std::vector<std::string> old;
  while (const dirent* entry = ::readdir(list.get())) {
    const std::string child = entry->d_name;
    if (child == "." || child == "..") continue;
    if (made_.count(above + child) == 0) old.push_back(child);
  }
  for (const std::string& child : old) TRY_STATUS(remove_all(fd, child));
  return {};
}

Status LayerUnpacker::whiteout(const Place& place) {
  if (place.name == k_opaque) return clear_older(place);
  const std::string gone = place.name.substr(k_whiteout.size());
  if (gone.empty() || gone == "." || gone == ".." || gone.starts_with(k_whiteout))
    return gone.starts_with(k_whiteout)
               ? Status()  // of aufs: about itself
               : Status(fail(ErrorCode::usage, "a layer removes what has no name"));
  parent_name_ = "\n";  // it may be what goes
  return remove_all(place.parent, gone);
}

// Something of that name goes; a directory stays where another one comes.
Status LayerUnpacker::make_way(const Place& place, bool keep_directory) {
  if (keep_directory && is_directory(place.parent, place.name)) return {};
  struct stat status {};
  if (::fstatat(place.parent, place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return {};
  if (!S_ISREG(status.st_mode)) parent_name_ = "\n";
  return remove_all(place.parent, place.name);
}

Status LayerUnpacker::own(const TarMember& member, const Place& place) {
  if (!owners_) return {};
  if (member.uid >= k_ids || member.gid >= k_ids)
    return fail(ErrorCode::usage, member.name + " belongs to an id beyond 65535");
  if (::fchownat(place.parent, place.name.c_str(), static_cast<uid_t>(member.uid),
                 static_cast<gid_t>(member.gid), AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno(errno, "the owner of " + member.name);
  return {};
}

Status LayerUnpacker::put_file(TarReader& tar, const TarMember& member, const Place& place) {
  if (member.size > left_.bytes)
    return fail(ErrorCode::usage, "it would unpack to more than is allowed");
  const Fd file(::openat(place.parent, place.name.c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return fail_errno(errno, member.name);
  std::array<char, size_t{64} << 10> buffer{};
  for (;;) {
    const size_t got = TRY(tar.read(buffer.data(), buffer.size()));
    if (got == 0) break;
    left_.bytes -= got;
    TRY_STATUS(in_context(write_all(file.get(), {buffer.data(), got}), member.name));
  }
  TRY_STATUS(own(member, place));
  if (::fchmod(file.get(), member.mode & 0777U) != 0) return fail_errno(errno, member.name);
  const std::array<timespec, 2> times{{{0, UTIME_OMIT}, {member.modified, 0}}};
  (void)::futimens(file.get(), times.data());
  return {};
}

Status LayerUnpacker::put_directory(const TarMember& member, const Place& place) {
  if (::mkdirat(place.parent, place.name.c_str(), 0700) != 0 && errno != EEXIST)
    return fail_errno(errno, member.name);
  TRY_STATUS(own(member, place));
  const mode_t mode = (member.mode & 01777U) | (owners_ ? 0U : 0700U);
  if (::fchmodat(place.parent, place.name.c_str(), mode, 0) != 0)
    return fail_errno(errno, member.name);
  return {};
}

Status LayerUnpacker::put_hard_link(const TarMember& member, const Place& place) {
  const std::string path = TRY(clean_name(member.link));
  const size_t slash = path.rfind('/');
  const std::string above = slash == std::string::npos ? "" : path.substr(0, slash);
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const Fd directory(open_in_root(root_.get(), above, O_PATH | O_DIRECTORY));
  if (!directory ||
      ::linkat(directory.get(), name.c_str(), place.parent, place.name.c_str(), 0) != 0)
    return fail_errno(errno, "the link " + member.name + " to " + member.link);
  return {};
}

Status LayerUnpacker::put(TarReader& tar, const TarMember& member) {
  const Place place = TRY(find_place(member.name));
  if (place.path.empty()) {
    if (member.kind != TarKind::directory) return fail(ErrorCode::usage, "a layer replaces /");
    return {};
  }
  if (place.name.starts_with(k_whiteout)) return whiteout(place);
  if (member.kind == TarKind::device) {
    ++devices_;
    return {};
  }
  TRY_STATUS(make_way(place, member.kind == TarKind::directory));
  made_.insert(place.path);
  switch (member.kind) {
    case TarKind::file:
      return put_file(tar, member, place);
    case TarKind::directory:
      return put_directory(member, place);
    case TarKind::hard_link:
      return put_hard_link(member, place);
    case TarKind::link:
      if (::symlinkat(member.link.c_str(), place.parent, place.name.c_str()) != 0)
        return fail_errno(errno, member.name);
      return own(member, place);
    case TarKind::fifo:
      if (::mkfifoat(place.parent, place.name.c_str(), member.mode & 0777U) != 0)
        return fail_errno(errno, member.name);
      return own(member, place);
    default:
      return {};
  }
}

Status LayerUnpacker::unpack(ByteSource& layer) {
  TarReader tar(layer);
  made_.clear();
  parent_name_ = "\n";
  for (;;) {
    const std::optional<TarMember> member = TRY(tar.next());
    if (!member) return {};
    if (left_.members-- == 0)
      return fail(ErrorCode::usage, "it has more files than are allowed (2000000)");
    TRY_STATUS(put(tar, *member));
  }
}

}  // namespace fabric
