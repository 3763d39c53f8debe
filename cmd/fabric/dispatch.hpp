// SPDX-License-Identifier: Apache-2.0
// argv to a command and its exit code to the shell.
#pragma once

namespace fabric::cmd {

int fabric_main(int argc, char** argv);

}  // namespace fabric::cmd
