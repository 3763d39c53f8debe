// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"
#include "run.hpp"

int main(int argc, char** argv) {
  const auto options = fabric::egress::read_options(argc, argv);
  return options ? fabric::egress::run(*options) : 2;
}
