// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "options.hpp"

namespace fabric::egress {

// Until there is nothing left to serve. The exit status of the program.
int run(const ProgramOptions& options);

}  // namespace fabric::egress
