// SPDX-License-Identifier: Apache-2.0
// Agents, counters and the supervisor.
#include <limits>

#include "base/id.hpp"
#include "store/codec.hpp"
#include "store/txn_state.hpp"

namespace fabric::store {
namespace {

Result<Agent> to_agent(std::string_view id, const record::Agent& record) {
  Result<Agent> agent = get_agent(record);
  if (!agent) return fail_damaged(Table::agents, id, agent.error().message);
  if (agent->definition.id != id)
    return fail_damaged(Table::agents, id, "holds agent '" + agent->definition.id + "'");
  return agent;
}

}  // namespace

Result<std::optional<Agent>> ReadTxn::find_agent(std::string_view id) const {
  TRY_STATUS(state_->usable());
  record::Agent record;
  if (!TRY(state_->get_record(Table::agents, id, record))) return std::optional<Agent>{};
  return std::optional<Agent>(TRY(to_agent(id, record)));
}

Result<std::vector<Agent>> ReadTxn::list_agents() const {
  TRY_STATUS(state_->usable());
  std::vector<Agent> out;
  record::Agent record;
  Cursor cursor(*state_, Table::agents);
  for (bool on_row = cursor.first(); on_row; on_row = cursor.next()) {
    const std::string_view body = TRY(open_value(Table::agents, cursor.key(), cursor.value()));
    if (!record.ParseFromArray(body.data(), static_cast<int>(body.size())))
      return fail_damaged(Table::agents, cursor.key(), "does not parse");
    out.push_back(TRY(to_agent(cursor.key(), record)));
  }
  TRY_STATUS(cursor.status());
  return out;
}

Result<TaskCounts> ReadTxn::counts(uint32_t agent_number) const {
  TRY_STATUS(state_->usable());
  return state_->counts(agent_number);
}

Result<TaskCounts> ReadTxn::counts() const { return counts(0); }

Result<SupervisorRecord> ReadTxn::supervisor() const {
  TRY_STATUS(state_->usable());
  record::Supervisor record;
  TRY(state_->get_record(Table::meta, k_meta_supervisor, record));
  return get_supervisor(record);
}

Status WriteTxn::save_agent(Agent& agent) {
  Txn& txn = *state_;
  TRY_STATUS(txn.usable());
  const std::string& id = agent.definition.id;
  TRY_STATUS(check_id(id, "agent id"));
  record::Agent record;
  const bool exists = TRY(txn.get_record(Table::agents, id, record));
  if (agent.number == 0 && exists)
    return fail(ErrorCode::usage, "agent '" + id + "' already exists");
  if (agent.number != 0 && (!exists || record.number() != agent.number))
    return fail(ErrorCode::not_found, "there is no agent '" + id + "' with number " +
                                          std::to_string(agent.number) + " any more");
  if (!exists) {
    if (txn.next.agent > std::numeric_limits<uint32_t>::max())
      return fail(ErrorCode::unavailable, "all agent numbers have been given");
    agent.number = static_cast<uint32_t>(txn.next.agent++);
    txn.agents_changed();
  }
  put_agent(agent, record);
  return txn.put_record(Table::agents, id, record);
}

Status WriteTxn::remove_agent(std::string_view id) {
  TRY_STATUS(state_->usable());
  if (!TRY(state_->get(Table::agents, id)))
    return fail(ErrorCode::not_found, "there is no agent '" + std::string(id) + "'");
  state_->agents_changed();
  return state_->erase(Table::agents, id);
}

Result<uint64_t> WriteTxn::next_unique() {
  TRY_STATUS(state_->usable());
  return state_->next.unique++;
}

Status WriteTxn::save_supervisor(const SupervisorRecord& supervisor) {
  TRY_STATUS(state_->usable());
  record::Supervisor record;
  TRY(state_->get_record(Table::meta, k_meta_supervisor, record));
  put_supervisor(supervisor, record);
  return state_->put_record(Table::meta, k_meta_supervisor, record);
}

}  // namespace fabric::store
