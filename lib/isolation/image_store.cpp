// SPDX-License-Identifier: Apache-2.0
#include "isolation/image_store.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "image/layout_name.hpp"
#include "image/unpack_wire.hpp"
#include "isolation/control_socket.hpp"
#include "isolation/host_path.hpp"
#include "isolation/id_range.hpp"
#include "isolation/isolation_state.hpp"
#include "isolation/launcher.hpp"
#include "isolation/process_identity.hpp"

namespace fabric {

namespace {

namespace fs = std::filesystem;

Status make_directory(const std::string& path, unsigned mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return fail_errno(errno, path);
  return {};
}

// Which file, and as of when.
Result<std::string> key_of(const std::string& path, bool layout) {
  struct stat status {};
  const std::string file = layout ? path + "/index.json" : path;
  if (::stat(file.c_str(), &status) != 0) return fail_errno(errno, file);
  std::array<char, 128> key{};
  std::snprintf(key.data(), key.size(), "%llx-%llx-%llx-%llx.%09ld",
                static_cast<unsigned long long>(status.st_dev),
                static_cast<unsigned long long>(status.st_ino),
                static_cast<unsigned long long>(status.st_size),
                static_cast<unsigned long long>(status.st_mtim.tv_sec), status.st_mtim.tv_nsec);
  return std::string(key.data());
}

Result<StoredImage> read_stored(const std::string& place) {
  StoredImage image;
  image.config = TRY(parse_image_config(TRY(read_file(place + "/config.json"))));
  image.directory = TRY(resolve_host_path(place + "/rootfs", {}));
  return image;
}

std::string unpacker_beside(const std::string& init_binary) {
  const std::string directory = init_binary.substr(0, init_binary.rfind('/'));
  const std::string installed = directory + "/fabric-unpack";
  return ::access(installed.c_str(), X_OK) == 0 ? installed
                                                : directory + "/../fabric-unpack/fabric-unpack";
}

Result<Launched> start_unpacker(const std::string& program, const Fd& theirs) {
  const Fd binary = TRY(move_above(TRY(open_file(program, O_RDONLY))));
  const Fd null = TRY(open_file("/dev/null", O_RDWR));
  Launch how;
  how.name = "fabric-unpack";
  how.binary = binary.get();
  how.setup = theirs.get();
  how.dev_null = null.get();
  how.namespaces = true;
  if (::geteuid() == 0) {
    how.range = IdSpan{0, k_ids_on_disk, k_ids_of_a_range};
  } else {
    how.user_namespace = true;
    how.own_uid = how.own_gid = 0;
  }
  return launch(how);
}

// What fabric-unpack asks for of a layout, until it says how it went.
Result<std::string> serve(const Fd& socket, const Fd& source) {
  for (;;) {
    const UnpackPacket packet = TRY(receive_unpack_packet(socket.get()));
    const std::string& text = packet.text;
    if (text.starts_with("open ") && is_layout_name(text.substr(5))) {
      const auto part = open_beneath(source, text.substr(5), O_RDONLY | O_NONBLOCK | O_NOCTTY);
      TRY_STATUS(part ? send_unpack_packet(socket.get(), "ok", {part->get()})
                      : send_unpack_packet(socket.get(), "no"));
      continue;
    }
    if (text.starts_with("done ")) return text.substr(5);
    if (!text.starts_with("fail "))
      return fail(ErrorCode::failed, "fabric-unpack ended without a word",
                  "if the machine ran out of memory, the kernel's log says so: dmesg");
    const size_t first = text.find('\n'), second = text.find('\n', first + 1);
    if (first == std::string::npos || second == std::string::npos)
      return fail(ErrorCode::failed, "fabric-unpack sent a malformed packet");
    const auto code = static_cast<ErrorCode>(std::atoi(text.c_str() + 5));
    return fail(code, text.substr(first + 1, second - first - 1), text.substr(second + 1));
  }
}

// Into `place`, a directory that is new. Returns the image's id.
Result<std::string> unpack_into(const std::string& place, const std::string& path, bool layout,
                                const std::string& program) {
  const std::string rootfs = place + "/rootfs";
  TRY_STATUS(make_directory(rootfs, 0755));
  const bool as_root = ::geteuid() == 0;
  if (as_root && ::lchown(rootfs.c_str(), k_ids_on_disk, k_ids_on_disk) != 0)
    return fail_errno(errno, rootfs);
  if (::chmod(rootfs.c_str(), 0755) != 0) return fail_errno(errno, rootfs);
  const Fd root = TRY(open_file(rootfs, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  const Fd source = TRY(open_file(path, layout ? O_RDONLY | O_DIRECTORY : O_RDONLY));
  auto [ours, given] = TRY(make_socket_pair());
  Fd theirs = TRY(move_above(std::move(given)));
  Launched unpacker = TRY(start_unpacker(program, theirs));
  theirs.reset();
  std::vector<int> descriptors{root.get()};
  if (!layout) descriptors.push_back(source.get());
  Status sent = send_unpack_packet(
      ours.get(), std::string(layout ? "layout" : "archive") + (as_root ? " owners" : " plain"),
      descriptors);
  auto said = sent ? serve(ours, source) : Result<std::string>(fail(sent.error()));
  ours.reset();
  (void)signal_process(unpacker.pidfd, SIGKILL);
  (void)wait_for_end(unpacker.pidfd, Duration::seconds(10));
  const std::string text = TRY(std::move(said));
  const size_t line = text.find('\n');
  const std::string id = text.substr(0, line);
  if (line == std::string::npos || !is_sha256(id))
    return fail(ErrorCode::failed, "fabric-unpack sent a malformed packet");
  const ImageConfig config = TRY(parse_image_config(text.substr(line + 1)));
  TRY_STATUS(write_file_atomically(place + "/config.json", to_json(config), 0600));
  return id;
}

// Those of a fabric that was killed: whoever has the lock is the only one that makes any.
void remove_unfinished(const std::string& store) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(store, error))
    if (entry.path().filename().string().starts_with("new-")) fs::remove_all(entry.path(), error);
}

}  // namespace

Result<StoredImage> store_image(const std::string& path, bool layout, const std::string& store,
                                const std::string& init_binary) {
  if (store.empty()) return fail(ErrorCode::usage, "no place for unpacked images");
  const std::string known = store + "/by-source/" + TRY(key_of(path, layout));
  if (auto image = read_stored(known)) return image;
  std::error_code error;
  fs::create_directories(fs::path(store).parent_path(), error);
  TRY_STATUS(make_directory(store, 0700));
  TRY_STATUS(make_directory(store + "/by-source", 0700));
  const Fd lock = TRY(open_file(store + "/.lock", O_RDWR | O_CREAT, 0600));
  if (::flock(lock.get(), LOCK_EX) != 0) return fail_errno(errno, store);
  if (auto image = read_stored(known)) return image;
  remove_unfinished(store);
  std::string place = store + "/new-XXXXXX";
  if (::mkdtemp(place.data()) == nullptr) return fail_errno(errno, store);
  auto id = unpack_into(place, path, layout, unpacker_beside(init_binary));
  if (!id) {
    fs::remove_all(place, error);
    return fail(std::move(id).error());
  }
  const std::string final = store + "/" + *id;
  if (::rename(place.c_str(), final.c_str()) != 0) {
    const int why = errno;
    fs::remove_all(place, error);
    // The same image from another file; one that is in use stays as it is.
    if (why != EEXIST && why != ENOTEMPTY) return fail_errno(why, final);
  }
  ::unlink(known.c_str());
  if (::symlink(("../" + *id).c_str(), known.c_str()) != 0) return fail_errno(errno, known);
  return read_stored(known);
}

}  // namespace fabric
