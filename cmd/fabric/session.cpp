// SPDX-License-Identifier: Apache-2.0
#include "fabric/session.hpp"

#include <unistd.h>

#include <cstdlib>

#include "base/id.hpp"
#include "base/users.hpp"
#include "fabric/output.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

Result<config::Workspace> workspace_of(const Arguments& arguments) {
  config::FindOptions options;
  options.start = arguments.value("--directory").value_or(environment("FABRIC_WORKSPACE"));
  return config::find_workspace(options);
}

Result<store::Store> open_store(const config::Workspace& workspace) {
  return store::Store::open(workspace.store_dir(), store::Store::Mode::read);
}

Result<bool> ensure_supervisor(const config::Workspace& workspace) {
  const bool started = TRY(start_supervisor(workspace, TRY(own_binary())));
  if (started)
    note("started a supervisor in the background ('fabric down' stops it and its agents)");
  return started;
}

Result<Task> require_task(const store::ReadTxn& txn, const std::string& id) {
  auto task = TRY(txn.find_task(id));
  if (!task && TRY(txn.find_recurring(id)))
    return fail(ErrorCode::not_found,
                "task " + printable(id) +
                    " not found: a recurring task has this id, and its runs "
                    "have others",
                "'fabric status " + printable(id) + "' shows it with its last run");
  if (!task)
    return fail(ErrorCode::not_found, "task " + printable(id) + " not found",
                "'fabric tasks' lists the tasks of this workspace");
  return *std::move(task);
}

Result<Agent> require_agent(const store::ReadTxn& txn, const std::string& id) {
  auto agent = TRY(txn.find_agent(id));
  if (!agent)
    return fail(ErrorCode::not_found, "agent " + printable(id) + " not found",
                "'fabric agents' lists the agents of this workspace");
  return *std::move(agent);
}

std::string login_name() {
  const uid_t uid = ::getuid();
  const auto user = find_user(uid);
  return user ? user->name : std::to_string(uid);
}

std::string correlation_id() {
  const std::string given = environment("FABRIC_CORRELATION_ID");
  return is_valid_id(given) ? given : make_uuid7();
}

std::string traceparent() { return environment("TRACEPARENT"); }

}  // namespace fabric::cmd
