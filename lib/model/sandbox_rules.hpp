// SPDX-License-Identifier: Apache-2.0
// The rules of a sandbox, read from their texts. Everything here comes from people and files: what
// does not parse is refused with what to write instead, never guessed.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fabric {

// Two absolute, normal paths: no ".", "..", empty parts or trailing slash.
struct PathRule {
  std::string host;
  std::string inside;
};
// "HOST[:INSIDE]"; without INSIDE it is the same path. A colon in a path cannot be written.
Result<PathRule> parse_path_rule(std::string_view text);
// A path inside the sandbox; "*" and "?" match within a part, "**" matches any number of parts.
Result<std::string> parse_inside_path(std::string_view text);

// Where an agent may connect to. "[!]WHERE[:PORT[,PORT]...|:*][+private]"
//   WHERE  api.example.com, *.example.com (never example.com itself), an address, a CIDR, or *
//   !      refuses it, whatever else allows it
//   ports  80 and 443 when none is named; * for all
//   +private  also when the name resolves to an address that is not public
// A rule that names an address or CIDR allows it though it is private.
struct EgressRule {
  enum class Kind : uint8_t { name, subdomains, network, everything };
  Kind kind = Kind::name;
  std::string name;                   // lower case, without trailing dot
  std::array<uint8_t, 16> network{};  // IPv4 as ::ffff:a.b.c.d
  uint8_t prefix = 128;               // of the mapped form
  std::vector<uint16_t> ports{80, 443};
  bool any_port = false;
  bool refuse = false;
  bool private_too = false;
  std::string text;  // as written
};
Result<EgressRule> parse_egress_rule(std::string_view text);
// Lower case, without one trailing dot; refused when it is no host name (RFC 1123) in ASCII.
Result<std::string> normal_host_name(std::string_view name);

// A port inside that the host can connect to. "[ADDRESS:]HOST_PORT:INSIDE_PORT"
struct PublishRule {
  std::string address = "127.0.0.1";
  uint16_t host_port = 0, inside_port = 0;
};
Result<PublishRule> parse_publish_rule(std::string_view text);

// "NAME=SOURCE[,env=VARIABLE][,file=PATH]" with SOURCE file:PATH or env:VARIABLE of the supervisor.
// Without env or file it is the file /run/secrets/NAME.
struct SecretRule {
  std::string name;
  bool from_file = true;
  std::string source;    // path or variable
  std::string variable;  // "" or the variable inside
  std::string file;      // "" or the path inside
};
Result<SecretRule> parse_secret_rule(std::string_view text);

// "NAME=HOST[:PORT],secret=SECRET[,header=HEADER][,prefix=TEXT]": inside, http://NAME.inject/ is
// forwarded to https://HOST with the secret as "HEADER: TEXT<secret>". The secret itself never is
// inside. HEADER is Authorization, TEXT "Bearer " when they are not given.
struct InjectRule {
  std::string name, host;
  uint16_t port = 443;
  std::string secret;
  std::string header = "Authorization", prefix = "Bearer ";
};
Result<InjectRule> parse_inject_rule(std::string_view text);

}  // namespace fabric
