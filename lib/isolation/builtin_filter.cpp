// SPDX-License-Identifier: Apache-2.0
#include "isolation/seccomp_filter.hpp"

namespace fabric {

const SeccompFilter& builtin_seccomp_filter() {
  static const SeccompFilter filter{{
#include "isolation/builtin_filter.inc"
                                    },
                                    {
#include "isolation/builtin_rules.inc"
                                    }};
  return filter;
}

}  // namespace fabric
