// SPDX-License-Identifier: Apache-2.0
// Queries of programs inside a sandbox. What is accepted is a plain name, and its answer is one
// that an ordinary reader of the same message finds it in.
#include <cstdint>
#include <cstdlib>

#include "egress/dns_message.hpp"

using namespace fabric::egress;

namespace {
void require(bool holds) {
  if (!holds) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto query = parse_dns_query(bytes);
  if (!query) return 0;
  require(query->name.size() <= 253);
  if (query->bad == DnsCode::no_error) {
    require(query->question.size() >= 5 && query->name.find('\0') == std::string::npos);
    require(bytes.find(query->question) != std::string_view::npos);
  }
  const std::string answer =
      make_dns_answer(*query, {query->bad,
                               {*parse_address("198.18.1.1"), *parse_address("fdfa::1")},
                               60,
                               k_ede_filtered,
                               "why"});
  require(answer.size() >= 12 && answer.size() < 1232);
  require(!parse_dns_query(answer));  // never a query again
  return 0;
}
