// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "store/environment.hpp"
#include "store/store.hpp"

namespace fabric::store {

struct Store::State {
  std::unique_ptr<Environment> environment;
};

}  // namespace fabric::store
