// SPDX-License-Identifier: Apache-2.0
// fabric-unpack: takes a container image apart for fabric, which starts it in namespaces of its own
// with one descriptor (image/unpack_wire.hpp says what is said over it), and ends.
#include <sys/stat.h>

#include <map>

#include "confine.hpp"
#include "image/layout_name.hpp"
#include "image/unpack_image.hpp"
#include "image/unpack_wire.hpp"

namespace fabric {

namespace {

// Parts of a layout come from fabric, one by one: this process could not open them.
class LayoutParts {
 public:
  Result<Blob> open(const std::string& name) {
    if (!is_layout_name(name)) return fail(ErrorCode::not_found, "it has no " + name);
    TRY_STATUS(send_unpack_packet(k_unpack_socket, "open " + name));
    UnpackPacket answer = TRY(receive_unpack_packet(k_unpack_socket));
    struct stat status {};
    if (answer.text != "ok" || answer.descriptors.size() != 1 ||
        ::fstat(answer.descriptors[0].get(), &status) != 0 || !S_ISREG(status.st_mode))
      return fail(ErrorCode::not_found, "it has no " + name);
    file_ = std::move(answer.descriptors[0]);
    return Blob{file_.get(), 0, static_cast<uint64_t>(status.st_size)};
  }

 private:
  Fd file_;  // one at a time
};

Result<Image> work() {
  UnpackPacket start = TRY(receive_unpack_packet(k_unpack_socket));
  const bool owners = start.text.ends_with(" owners");
  const bool archive = start.text.starts_with("archive ");
  if (start.descriptors.size() != (archive ? 2 : 1))
    return fail(ErrorCode::usage, "fabric-unpack is started by fabric");
  Fd root = std::move(start.descriptors[0]);
  TRY_STATUS(confine(root, owners));
  if (archive) return unpack_archive(start.descriptors[1], std::move(root), owners);
  LayoutParts parts;
  return unpack_image([&parts](const std::string& name) { return parts.open(name); },
                      std::move(root), owners);
}

int run() {
  const auto image = work();
  if (image)
    return send_unpack_packet(k_unpack_socket, "done " + image->id + "\n" + to_json(image->config))
               ? 0
               : 1;
  const Error& error = image.error();
  (void)send_unpack_packet(k_unpack_socket, "fail " + std::to_string(static_cast<int>(error.code)) +
                                                "\n" + error.message + "\n" + error.hint);
  return 1;
}

}  // namespace

}  // namespace fabric

int main() { return fabric::run(); }
