// SPDX-License-Identifier: Apache-2.0
#include "model/sandbox_rules.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/id.hpp"

namespace fabric {
namespace {

constexpr size_t k_longest_rule = 4096;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

tl::unexpected<Error> refuse(std::string_view what, std::string_view text, std::string hint) {
  std::string shown(text.substr(0, 100));
  std::replace_if(shown.begin(), shown.end(), is_control, '?');
  return fail(ErrorCode::usage, "invalid " + std::string(what) + " '" + shown + "'",
              std::move(hint));
}

// No control characters, no more than a path or rule can need.
bool plain(std::string_view text) {
  return !text.empty() && text.size() <= k_longest_rule &&
         std::none_of(text.begin(), text.end(), is_control);
}

bool normal_path(std::string_view path) {
  if (path.size() < 2 || path.front() != '/' || path.find(':') != std::string_view::npos)
    return false;
  for (size_t at = 1; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    if (part.empty() || part == "." || part == "..") return false;
    at = end + 1;
  }
  return true;
}

std::optional<uint16_t> port_of(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

bool parse_address(std::string_view text, std::array<uint8_t, 16>& out, bool& v4) {
  const std::string copy(text);
  std::array<uint8_t, 4> four{};
  if (::inet_pton(AF_INET, copy.c_str(), four.data()) == 1) {
    out = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, four[0], four[1], four[2], four[3]};
    v4 = true;
    return true;
  }
  v4 = false;
  return ::inet_pton(AF_INET6, copy.c_str(), out.data()) == 1;
}

// ADDRESS or ADDRESS/BITS; no bits may be set behind the prefix.
bool parse_network(std::string_view text, EgressRule& rule) {
  const size_t slash = text.find('/');
  bool v4 = false;
  if (!parse_address(text.substr(0, slash), rule.network, v4)) return false;
  unsigned bits = v4 ? 32 : 128;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    unsigned given = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), given);
    if (error != std::errc{} || end != digits.data() + digits.size() || given > bits) return false;
    bits = given;
  }
  rule.prefix = static_cast<uint8_t>(v4 ? bits + 96 : bits);
  for (unsigned bit = rule.prefix; bit < 128; ++bit)
    if ((rule.network[bit / 8] >> (7 - bit % 8) & 1) != 0) return false;
  rule.kind = EgressRule::Kind::network;
  return true;
}

// What may follow a name or address: ":PORTS".
bool parse_ports(std::string_view text, EgressRule& rule) {
  if (text == "*") {
    rule.any_port = true;
    return true;
  }
  rule.ports.clear();
  while (true) {
    const size_t comma = text.find(',');
    const std::optional<uint16_t> port = port_of(text.substr(0, comma));
    if (!port || rule.ports.size() == 64) return false;
    rule.ports.push_back(*port);
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

// Where the ports begin: behind "]" of "[::1]:443", or at the only colon of what is no bare IPv6.
size_t port_colon(std::string_view text) {
  if (text.starts_with('[')) {
    const size_t bracket = text.find(']');
    return bracket == std::string_view::npos ? bracket : text.find(':', bracket);
  }
  const size_t colon = text.find(':');
  return colon != std::string_view::npos && text.find(':', colon + 1) != std::string_view::npos
             ? std::string_view::npos
             : colon;
}

bool is_variable(std::string_view name) {
  if (name.empty() || name.size() > 255 || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

bool is_header_name(std::string_view name) {
  return !name.empty() && name.size() <= 100 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

// Calls `take(key, value)` for each ",key=value" until one is not known.
template <class Take>
bool each_member(std::string_view text, Take take) {
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view member = text.substr(0, comma);
    const size_t equals = member.find('=');
    if (equals == std::string_view::npos ||
        !take(member.substr(0, equals), member.substr(equals + 1)))
      return false;
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
    if (text.empty()) return false;
  }
  return true;
}

}  // namespace

Result<PathRule> parse_path_rule(std::string_view text) {
  const size_t colon = text.find(':');
  PathRule rule{std::string(text.substr(0, colon)), ""};
  rule.inside = colon == std::string_view::npos ? rule.host : std::string(text.substr(colon + 1));
  if (!plain(text) || (rule.host != "/" && !normal_path(rule.host)) || !normal_path(rule.inside))
    return refuse("path", text, "write HOST or HOST:INSIDE, both absolute, without '..' or '//'");
  return rule;
}

Result<std::string> parse_inside_path(std::string_view text) {
  if (!plain(text) || !normal_path(text))
    return refuse("path", text, "write an absolute path inside the sandbox, without '..' or '//'");
  return std::string(text);
}

Result<std::string> normal_host_name(std::string_view name) {
  std::string out(name);
  if (out.ends_with('.')) out.pop_back();
  if (out.empty() || out.size() > 253) return refuse("host name", name, "");
  size_t label = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    char& c = out[i];
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    const bool inner = label > 0 && i + 1 < out.size() && out[i + 1] != '.';
    if (c == '.' ? label == 0 : !(letter || (c == '-' && inner)) || label == 63)
      return refuse("host name", name,
                    "only letters, digits and inner dashes; others in their xn-- form");
    label = c == '.' ? 0 : label + 1;
  }
  return out;
}

Result<EgressRule> parse_egress_rule(std::string_view text) {
  constexpr const char* k_how =
      "write NAME, *.NAME, an address, a CIDR or *, then :PORT or :* if not 80 and 443, then "
      "+private if it may resolve to a private address; ! before it refuses it";
  EgressRule rule;
  rule.text = std::string(text);
  if (!plain(text)) return refuse("egress rule", text, k_how);
  std::string_view rest = text;
  if (rest.starts_with('!')) {
    rule.refuse = true;
    rest.remove_prefix(1);
  }
  if (rest.ends_with("+private")) {
    rule.private_too = true;
    rest.remove_suffix(8);
  }
  const size_t colon = port_colon(rest);
  if (colon != std::string_view::npos) {
    if (!parse_ports(rest.substr(colon + 1), rule)) return refuse("egress rule", text, k_how);
    rest = rest.substr(0, colon);
  } else if (rule.refuse) {
    rule.any_port = true;  // what is refused is refused on every port
  }
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  if (rest == "*") {
    rule.kind = EgressRule::Kind::everything;
    return rule;
  }
  if (parse_network(rest, rule)) return rule;
  rule.kind = EgressRule::Kind::name;
  if (rest.starts_with("*.")) {
    rule.kind = EgressRule::Kind::subdomains;
    rest.remove_prefix(2);
  }
  Result<std::string> name = normal_host_name(rest);
  // A last label of digits is an address that was mistyped, or one in a form that some accept.
  const bool digits =
      name && std::all_of(name->begin() + static_cast<ptrdiff_t>(name->rfind('.') + 1), name->end(),
                          [](char c) { return c >= '0' && c <= '9'; });
  if (!name || digits) return refuse("egress rule", text, k_how);
  rule.name = std::move(*name);
  return rule;
}

Result<PublishRule> parse_publish_rule(std::string_view text) {
  PublishRule rule;
  const size_t last = text.rfind(':');
  const size_t middle = last == std::string_view::npos || last == 0 ? std::string_view::npos
                                                                    : text.rfind(':', last - 1);
  const bool addressed = middle != std::string_view::npos;
  std::optional<uint16_t> host, inside;
  if (last != std::string_view::npos) {
    host = port_of(text.substr(addressed ? middle + 1 : 0, last - (addressed ? middle + 1 : 0)));
    inside = port_of(text.substr(last + 1));
  }
  std::array<uint8_t, 16> address{};
  bool v4 = false;
  if (addressed) {
    std::string_view where = text.substr(0, middle);
    if (where.starts_with('[') && where.ends_with(']')) where = where.substr(1, where.size() - 2);
    rule.address = std::string(where);
  }
  if (!host || !inside || !parse_address(rule.address, address, v4))
    return refuse("port to publish", text,
                  "write HOST_PORT:INSIDE_PORT or ADDRESS:HOST_PORT:INSIDE_PORT");
  rule.host_port = *host;
  rule.inside_port = *inside;
  return rule;
}

Result<SecretRule> parse_secret_rule(std::string_view text) {
  constexpr const char* k_how =
      "write NAME=file:PATH or NAME=env:VARIABLE, then ,env=VARIABLE or ,file=PATH inside";
  SecretRule rule;
  const size_t equals = text.find('=');
  if (!plain(text) || equals == std::string_view::npos) return refuse("secret", text, k_how);
  rule.name = std::string(text.substr(0, equals));
  if (!is_valid_id(rule.name)) return refuse("secret", text, k_how);
  std::string_view rest = text.substr(equals + 1);
  const size_t comma = rest.find(',');
  const std::string_view source = rest.substr(0, comma);
  if (comma + 1 == rest.size()) return refuse("secret", text, k_how);
  rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
  rule.from_file = source.starts_with("file:");
  if (!rule.from_file && !source.starts_with("env:")) return refuse("secret", text, k_how);
  rule.source = std::string(source.substr(rule.from_file ? 5 : 4));
  if (rule.from_file ? !normal_path(rule.source) : !is_variable(rule.source))
    return refuse("secret", text, k_how);
  const bool known = each_member(rest, [&](std::string_view key, std::string_view value) {
    if (key == "env" && is_variable(value)) {
      rule.variable = std::string(value);
      return true;
    }
    if (key == "file" && normal_path(value)) {
      rule.file = std::string(value);
      return true;
    }
    return false;
  });
  if (!known) return refuse("secret", text, k_how);
  if (rule.variable.empty() && rule.file.empty()) rule.file = "/run/secrets/" + rule.name;
  return rule;
}

Result<InjectRule> parse_inject_rule(std::string_view text) {
  constexpr const char* k_how =
      "write NAME=HOST[:PORT],secret=SECRET and, if they differ, ,header=NAME and ,prefix=TEXT";
  InjectRule rule;
  const size_t equals = text.find('=');
  if (!plain(text) || equals == std::string_view::npos) return refuse("injection", text, k_how);
  rule.name = std::string(text.substr(0, equals));
  std::string_view rest = text.substr(equals + 1);
  const size_t comma = rest.find(',');
  std::string_view host = rest.substr(0, comma);
  if (comma + 1 == rest.size()) return refuse("injection", text, k_how);
  rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
  if (const size_t colon = host.find(':'); colon != std::string_view::npos) {
    const std::optional<uint16_t> port = port_of(host.substr(colon + 1));
    if (!port) return refuse("injection", text, k_how);
    rule.port = *port;
    host = host.substr(0, colon);
  }
  Result<std::string> name = normal_host_name(host);
  Result<std::string> label = normal_host_name(rule.name);
  if (!name || !label || *label != rule.name || label->find('.') != std::string::npos)
    return refuse("injection", text, k_how);
  rule.host = std::move(*name);
  const bool known = each_member(rest, [&](std::string_view key, std::string_view value) {
    if (key == "secret" && is_valid_id(value)) {
      rule.secret = std::string(value);
    } else if (key == "header" && is_header_name(value)) {
      rule.header = std::string(value);
    } else if (key == "prefix") {
      rule.prefix = std::string(value);
    } else {
      return false;
    }
    return true;
  });
  if (!known || rule.secret.empty()) return refuse("injection", text, k_how);
  return rule;
}

}  // namespace fabric
