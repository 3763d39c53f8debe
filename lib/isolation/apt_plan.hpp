// SPDX-License-Identifier: Apache-2.0
// Of a sandbox that may reach hosts, what apt-get needs to find and download packages: the host's
// sources, their keys and the lists that `apt-get update` has fetched. Passwords stay out.
#pragma once

#include <string>
#include <string_view>

#include "isolation/mount_plan.hpp"

namespace fabric {

void add_apt(MountPlan& plan);
// NAME:PASSWORD@ of URLs taken out.
std::string without_credentials(std::string_view text);

}  // namespace fabric
