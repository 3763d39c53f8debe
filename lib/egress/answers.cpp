// SPDX-License-Identifier: Apache-2.0
#include "egress/answers.hpp"

#include <cerrno>

namespace fabric::egress {
namespace {

std::string_view reason_of(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 502:
      return "Bad Gateway";
    case 504:
      return "Gateway Timeout";
    default:
      return "Error";
  }
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out(text.substr(0, 200));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  return out;
}

std::string http_answer(int status, const std::string& why, const std::string& rule,
                        const std::string& allow) {
  std::string body = "fabric: " + printable(why) + "\n";
  if (!allow.empty())
    body += "fabric: it is allowed by isolation.egress = [\"" + printable(allow) + "\"]\n";
  std::string head = "HTTP/1.1 " + std::to_string(status) + " ";
  head.append(reason_of(status)).append("\r\nContent-Type: text/plain\r\n");
  if (status == 403)
    head += "X-Fabric-Denied: " + (rule.empty() ? "no rule allows it" : printable(rule)) + "\r\n";
  return head + "Connection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

std::string http_established() { return "HTTP/1.1 200 Connection established\r\n\r\n"; }

std::string tls_denied() { return {"\x15\3\3\0\2\2\x31", 7}; }

SocksReply socks_failure(int error) {
  switch (error) {
    case ECONNREFUSED:
      return SocksReply::refused;
    case ENETUNREACH:
      return SocksReply::network_unreachable;
    case 0:
    case EHOSTUNREACH:
    case ETIMEDOUT:
      return SocksReply::host_unreachable;
    default:
      return SocksReply::failed;
  }
}

}  // namespace fabric::egress
