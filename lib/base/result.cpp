// SPDX-License-Identifier: Apache-2.0
#include "base/result.hpp"

#include <cstring>

namespace fabric {

tl::unexpected<Error> fail_errno(int error_number, const std::string& what, std::string hint) {
  char buffer[128];
  return fail(ErrorCode::failed, what + ": " + ::strerror_r(error_number, buffer, sizeof buffer),
              std::move(hint));
}

}  // namespace fabric
