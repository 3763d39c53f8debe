// SPDX-License-Identifier: Apache-2.0
#include "egress/http_head.hpp"

#include <algorithm>
#include <charconv>

namespace fabric::egress {
namespace {

constexpr size_t k_max_headers = 200;
constexpr size_t k_max_first_line = 16384;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}
bool is_target(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}
bool is_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool read_request_line(std::string_view line, HttpHead& head) {
  const size_t first = line.find(' ');
  const size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos) return false;
  head.method = std::string(line.substr(0, first));
  head.target = std::string(line.substr(first + 1, second - first - 1));
  head.version = std::string(line.substr(second + 1));
  return is_token(head.method) && is_target(head.target) &&
         (head.version == "HTTP/1.1" || head.version == "HTTP/1.0");
}

bool read_length(std::string_view value, HttpHead& head) {
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), head.length);
  head.body = HttpHead::Body::length;
  return error == std::errc{} && end == value.data() + value.size() && !value.starts_with('-') &&
         head.length < (uint64_t{1} << 60);
}

// "websocket, h2c": whether the server may choose HTTP/2.
bool offers_http2(std::string_view list) {
  while (!list.empty()) {
    const size_t end = std::min(list.find(','), list.size());
    std::string_view protocol = trimmed(list.substr(0, end));
    protocol = protocol.substr(0, protocol.find('/'));
    if (equal_ignoring_case(trimmed(protocol), "h2c")) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

// What may stand only once and decides how the request is read. "": fine.
std::string_view read_meaning(HttpHead& head) {
  int hosts = 0, lengths = 0, encodings = 0;
  bool http2 = false;
  for (const auto& [name, value] : head.headers) {
    if (equal_ignoring_case(name, "host")) {
      ++hosts;
      head.host = value;
    } else if (equal_ignoring_case(name, "content-length")) {
      ++lengths;
      if (!read_length(value, head)) return "Content-Length is no number";
    } else if (equal_ignoring_case(name, "transfer-encoding")) {
      ++encodings;
      if (!equal_ignoring_case(value, "chunked")) return "Transfer-Encoding is not 'chunked'";
    } else if (equal_ignoring_case(name, "upgrade")) {
      http2 = http2 || offers_http2(value);
      head.upgrade = !http2;
    }
  }
  // Who asks a proxy for a tunnel has named the host already; some tools leave it at that.
  const bool named = head.method == "CONNECT" && hosts == 0;
  if (!named && (hosts != 1 || head.host.empty())) return "there is not exactly one Host";
  if (lengths > 1 || encodings > 1 || lengths + encodings > 1)
    return "there is more than one length";
  if (encodings == 1) {
    if (head.version == "HTTP/1.0") return "HTTP/1.0 knows no Transfer-Encoding";
    head.body = HttpHead::Body::chunked;
  }
  return "";
}

// Header lines up to the empty one.
std::string_view read_headers(std::string_view lines, HttpHead& head) {
  while (!lines.empty()) {
    const size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end + 2);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
      return "a header line is malformed";
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (!is_value(value)) return "a header holds control characters";
    if (head.headers.size() == k_max_headers) return "there are too many headers";
    head.headers.emplace_back(line.substr(0, colon), value);
  }
  return "";
}

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

const std::string* HttpHead::find(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (equal_ignoring_case(key, name)) return &value;
  return nullptr;
}

void HttpHead::remove(std::string_view name) {
  std::erase_if(headers,
                [&](const auto& header) { return equal_ignoring_case(header.first, name); });
}

std::string HttpHead::text() const {
  std::string out = method + " " + target + " " + version + "\r\n";
  for (const auto& [name, value] : headers) out += name + ": " + value + "\r\n";
  return out + "\r\n";
}

HttpState parse_http_head(std::string_view bytes, HttpHead& head, std::string& why) {
  head = {};
  const size_t end = bytes.substr(0, k_max_http_head).find("\r\n\r\n");
  if (end == std::string_view::npos) {
    why = "the head is longer than 64 KiB";
    return bytes.size() >= k_max_http_head ? HttpState::bad : HttpState::more;
  }
  head.size = end + 4;
  const std::string_view lines = bytes.substr(0, end + 2);
  const size_t first = lines.find("\r\n");
  if (!read_request_line(lines.substr(0, first), head)) {
    why = "the request line is malformed";
    return HttpState::bad;
  }
  std::string_view wrong = read_headers(lines.substr(first + 2), head);
  if (wrong.empty()) wrong = read_meaning(head);
  why = std::string(wrong);
  return wrong.empty() ? HttpState::complete : HttpState::bad;
}

Speech recognise(std::string_view bytes) {
  if (bytes.empty()) return Speech::more;
  if (bytes[0] == 0x16)
    return bytes.size() < 2 ? Speech::more : bytes[1] == 3 ? Speech::tls : Speech::other;
  // Servers forgive what stands before and after the words of the first line, so this does too.
  const size_t begin = bytes.find_first_not_of("\r\n \t");
  if (begin == std::string_view::npos)
    return bytes.size() >= k_max_first_line ? Speech::other : Speech::more;
  const size_t end = bytes.find('\n', begin);
  const std::string_view line = bytes.substr(begin, end - begin);
  const bool text = std::all_of(line.begin(), line.end(), [](char c) {
    return c == '\t' || c == '\r' || static_cast<unsigned char>(c) >= 0x20;
  });
  const bool word = is_token_char(line[0]);
  if (!text || !word) return Speech::other;
  std::string upper(line);
  std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  if (upper.find("HTTP/") != std::string::npos) return Speech::http;
  if (end != std::string_view::npos) return Speech::other;
  return bytes.size() >= k_max_first_line ? Speech::other : Speech::more;
}

}  // namespace fabric::egress
