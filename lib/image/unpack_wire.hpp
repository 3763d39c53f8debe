// SPDX-License-Identifier: Apache-2.0
// What fabric and fabric-unpack say to each other over a SOCK_SEQPACKET socket, which is descriptor
// 3 of the latter. Packets are texts:
//
//   fabric         "archive" or "layout", then " owners" or " plain"; with the directory to unpack
//                  into and, of "archive", the file
//   fabric-unpack  "open NAME": a part of the layout      fabric  "ok" and a descriptor, or "no"
//   fabric-unpack  "done ID", newline, configuration; or "fail CODE", newline, message, newline,
//                  hint: and ends
#pragma once

#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric {

constexpr int k_unpack_socket = 3;
constexpr size_t k_largest_unpack_packet = size_t{128} << 10;

struct UnpackPacket {
  std::string text;  // "" when the other side is gone
  std::vector<Fd> descriptors;
};
Status send_unpack_packet(int socket, const std::string& text,
                          const std::vector<int>& descriptors = {});
Result<UnpackPacket> receive_unpack_packet(int socket);

}  // namespace fabric
