// SPDX-License-Identifier: Apache-2.0
// What nearly every command starts with: the workspace it means, who calls, and the store to read.
#pragma once

#include <optional>
#include <string>

#include "base/result.hpp"
#include "config/workspace.hpp"
#include "fabric/arguments.hpp"
#include "model/agent.hpp"
#include "model/task.hpp"
#include "store/store.hpp"
#include "supervisor/client.hpp"

namespace fabric::cmd {

// -C DIR, else FABRIC_WORKSPACE, else the one that holds the current directory.
Result<config::Workspace> workspace_of(const Arguments& arguments);

// One Store may be open in a process at a time, and a Client without a supervisor opens one: so a
// command closes its Client before it reads, and the other way round.
Result<store::Store> open_store(const config::Workspace& workspace);

// Connects to the supervisor; starts one, and says so, when none runs. Its binary is this one.
Result<bool> ensure_supervisor(const config::Workspace& workspace);

// not_found, naming the id, with what to type.
Result<Task> require_task(const store::ReadTxn& txn, const std::string& id);
Result<Agent> require_agent(const store::ReadTxn& txn, const std::string& id);

// The caller's login name, or its uid in digits.
std::string login_name();
// FABRIC_CORRELATION_ID, else a new one.
std::string correlation_id();
// TRACEPARENT, or "".
std::string traceparent();

// Path of this executable, and of the fabric-init that belongs to it (installed or in a build
// tree).
Result<std::string> own_binary();
Result<std::string> init_binary();

}  // namespace fabric::cmd
