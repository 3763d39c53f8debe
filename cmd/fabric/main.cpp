// SPDX-License-Identifier: Apache-2.0
#include "fabric/dispatch.hpp"

int main(int argc, char** argv) { return fabric::cmd::fabric_main(argc, argv); }
