// SPDX-License-Identifier: Apache-2.0
// Makes the first message of a TLS client.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace fabric::egress {

inline std::string sized(std::string_view bytes, int width) {
  std::string out;
  for (int i = width - 1; i >= 0; --i)
    out.push_back(static_cast<char>(bytes.size() >> (8 * i) & 0xff));
  return out.append(bytes);
}
inline std::string server_name(std::string_view name) {
  return std::string(2, '\0') + sized(sized('\0' + sized(name, 2), 2), 2);
}
// A whole handshake message with these extensions.
inline std::string hello_message(std::string_view extensions) {
  std::string body =
      "\3\3" + std::string(32, 'r') + '\0' + sized("\x13\1", 2) + sized({"\0", 1}, 1);
  if (!extensions.empty()) body += sized(extensions, 2);
  return '\1' + sized(body, 3);
}
inline std::string in_records(std::string_view message, size_t each) {
  std::string out;
  for (; !message.empty(); message.remove_prefix(std::min(each, message.size())))
    out += "\x16\3\1" + sized(message.substr(0, each), 2);
  return out;
}
inline std::string make_hello(std::string_view name) {
  return in_records(hello_message(name.empty() ? "" : server_name(name)), 16384);
}

}  // namespace fabric::egress
