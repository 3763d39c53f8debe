// SPDX-License-Identifier: Apache-2.0
#include "egress/dns_message.hpp"

namespace fabric::egress {
namespace {

constexpr size_t k_header = 12;
constexpr uint16_t k_answer_bit = 0x8000, k_recursion_desired = 0x0100, k_recursion = 0x0080;
constexpr uint16_t k_type_opt = 41, k_option_ede = 15;

uint16_t u16(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes[at]) << 8 |
                               static_cast<uint8_t>(bytes[at + 1]));
}

void put16(std::string& out, unsigned value) {
  out.push_back(static_cast<char>(value >> 8 & 0xff));
  out.push_back(static_cast<char>(value & 0xff));
}
void put32(std::string& out, uint32_t value) {
  put16(out, value >> 16);
  put16(out, value & 0xffff);
}

// Labels from `at` on, without compression: a question has nothing to point back to. 0: bad.
size_t read_name(std::string_view message, size_t at, std::string& name) {
  while (at < message.size()) {
    const auto length = static_cast<uint8_t>(message[at++]);
    if (length == 0) return at;
    const size_t longer = name.size() + (name.empty() ? 0 : 1) + length;
    if (length > 63 || at + length > message.size() || longer > 253) return 0;
    if (!name.empty()) name.push_back('.');
    for (size_t i = 0; i < length; ++i) {
      char c = message[at + i];
      // A dot or NUL within a label would make another name of it.
      if (c == '.' || c == '\0') return 0;
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      name.push_back(c);
    }
    at += length;
  }
  return 0;
}

// Steps over one additional record; 0: bad. Tells whether it is OPT.
size_t skip_record(std::string_view message, size_t at, bool& opt) {
  std::string owner;
  at = read_name(message, at, owner);
  if (at == 0 || at + 10 > message.size()) return 0;
  opt = owner.empty() && u16(message, at) == k_type_opt;
  const size_t length = u16(message, at + 8);
  at += 10 + length;
  return at > message.size() ? 0 : at;
}

}  // namespace

std::optional<DnsQuery> parse_dns_query(std::string_view message) {
  if (message.size() < k_header) return std::nullopt;
  const uint16_t flags = u16(message, 2);
  if ((flags & k_answer_bit) != 0) return std::nullopt;
  DnsQuery query;
  query.id = u16(message, 0);
  query.recursion_desired = (flags & k_recursion_desired) != 0;
  if ((flags >> 11 & 0xf) != 0) {
    query.bad = DnsCode::not_implemented;
    return query;
  }
  query.bad = DnsCode::format_error;
  if (u16(message, 4) != 1 || u16(message, 6) != 0 || u16(message, 8) != 0) return query;
  size_t at = read_name(message, k_header, query.name);
  if (at == 0 || at + 4 > message.size()) return query;
  query.type = u16(message, at);
  query.dns_class = u16(message, at + 2);
  at += 4;
  query.question = message.substr(k_header, at - k_header);
  for (unsigned i = u16(message, 10); i > 0; --i) {
    bool opt = false;
    at = skip_record(message, at, opt);
    if (at == 0) return query;
    query.edns |= opt;
  }
  query.bad = DnsCode::no_error;
  return query;
}

std::string make_dns_answer(const DnsQuery& query, const DnsAnswer& answer) {
  const bool v6 = query.type == static_cast<uint16_t>(DnsType::aaaa);
  std::string out;
  put16(out, query.id);
  put16(out, k_answer_bit | (query.recursion_desired ? k_recursion_desired : 0U) | k_recursion |
                 static_cast<unsigned>(answer.code));
  put16(out, query.question.empty() ? 0 : 1);
  put16(out, 0);  // answers, below
  put16(out, 0);
  put16(out, query.edns ? 1 : 0);
  out += query.question;
  unsigned count = 0;
  for (const Address& address : answer.addresses) {
    if (address.is_v4() == v6) continue;
    ++count;
    put16(out, 0xc000 | k_header);  // the name is that of the question
    put16(out, query.type);
    put16(out, 1);
    put32(out, answer.ttl);
    put16(out, v6 ? 16 : 4);
    out.append(reinterpret_cast<const char*>(address.bytes.data()) + (v6 ? 0 : 12), v6 ? 16 : 4);
  }
  out[7] = static_cast<char>(count);
  if (!query.edns) return out;
  out.push_back('\0');
  put16(out, k_type_opt);
  put16(out, 1232);
  put32(out, 0);
  if (answer.extended_error == 0) {
    put16(out, 0);
    return out;
  }
  const std::string text = answer.extended_text.substr(0, 200);
  put16(out, static_cast<unsigned>(6 + text.size()));
  put16(out, k_option_ede);
  put16(out, static_cast<unsigned>(2 + text.size()));
  put16(out, answer.extended_error);
  out += text;
  return out;
}

}  // namespace fabric::egress
