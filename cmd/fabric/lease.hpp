// SPDX-License-Identifier: Apache-2.0
// What the commands of external agents share: the lease, and parameters of calls.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "fabric/arguments.hpp"

namespace fabric::cmd {

inline constexpr Option k_lease{
    "--lease", "", "N", "The lease that fabric-claim(1) has printed. Default: FABRIC_LEASE.",
    Takes::value};
constexpr Duration k_default_lease = Duration::seconds(600);

// --lease, else FABRIC_LEASE.
Result<uint64_t> lease_of(const Arguments& arguments);
// A duration above zero; `otherwise` where the option was not given.
Result<Duration> time_of(const Arguments& arguments, std::string_view option, Duration otherwise);
// The call of the control protocol, through the supervisor or on the store.
Result<json::Document> perform(const Arguments& arguments, std::string_view method,
                               const std::string& params);

}  // namespace fabric::cmd
