// SPDX-License-Identifier: Apache-2.0
#include "fabric/lease.hpp"

#include <charconv>
#include <cstdlib>

#include "fabric/session.hpp"
#include "fabric/text.hpp"
#include "supervisor/client.hpp"

namespace fabric::cmd {
namespace {

Result<uint64_t> parse_lease(std::string_view text) {
  uint64_t lease = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), lease);
  if (error != std::errc{} || end != text.data() + text.size() || lease == 0 || lease >> 63 != 0)
    return fail(ErrorCode::usage, "invalid lease '" + printable(text) + "'",
                "it is the number that 'fabric claim' printed");
  return lease;
}

}  // namespace

Result<uint64_t> lease_of(const Arguments& arguments) {
  if (const auto given = TRY(parsed(arguments, k_lease.name, parse_lease))) return *given;
  const char* from_environment = std::getenv("FABRIC_LEASE");
  if (from_environment && *from_environment)
    return in_context(parse_lease(from_environment), "FABRIC_LEASE");
  return fail(ErrorCode::usage,
              std::string(arguments.command().name) + ": which lease? --lease N is missing",
              "the claim has printed it; FABRIC_LEASE works too");
}

Result<Duration> time_of(const Arguments& arguments, std::string_view option, Duration otherwise) {
  const auto given = TRY(parsed(arguments, option, parse_duration));
  if (given && given->ns == 0)
    return fail(ErrorCode::usage, std::string(option) + ": must be longer than 0");
  return given.value_or(otherwise);
}

Result<json::Document> perform(const Arguments& arguments, std::string_view method,
                               const std::string& params) {
  Client client = TRY(Client::open(TRY(workspace_of(arguments))));
  return client.perform(method, params);
}

}  // namespace fabric::cmd
