// SPDX-License-Identifier: Apache-2.0
// Adding a recurring task: the options of --every, and the call that they make.
#pragma once

#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "config/workspace.hpp"
#include "fabric/arguments.hpp"
#include "model/recurring.hpp"

namespace fabric::cmd {

// From the options. Its line has no id; that is made for each run.
Result<Recurring> recurring_task(const Arguments& arguments, const std::string& agent,
                                 const std::string& every);
// The parameters of the call add_recurring.
std::string encode_recurring(const Recurring& recurring);

struct AddedRecurring {
  std::string id;
  WallTime next_run;  // not set: never
  bool supervised = false;
};
Result<AddedRecurring> add_recurring(const config::Workspace& workspace,
                                     const Recurring& recurring);

}  // namespace fabric::cmd
