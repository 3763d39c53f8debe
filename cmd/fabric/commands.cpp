// SPDX-License-Identifier: Apache-2.0
#include "fabric/commands.hpp"

namespace fabric::cmd {
namespace {

const Command* const k_commands[] = {
    // workspace
    &k_init_command, &k_trust_command, &k_up_command, &k_down_command, &k_status_command,
    &k_top_command,
    // agents
    &k_spawn_command, &k_learned_command, &k_reload_command, &k_terminate_command,
    &k_agents_command, &k_stats_command, &k_violations_command, &k_sandbox_run_command,
    // tasks
    &k_schedule_command, &k_run_command, &k_tasks_command, &k_wait_command, &k_result_command,
    &k_logs_command, &k_cancel_command, &k_requeue_command, &k_retry_command, &k_events_command,
    &k_explain_command, &k_graph_command, &k_pause_command, &k_resume_command, &k_claim_command,
    &k_extend_command, &k_complete_command, &k_release_command,
    // maintenance
    &k_config_show_command, &k_config_check_command, &k_store_stat_command, &k_store_check_command,
    &k_store_backup_command, &k_store_compact_command, &k_gc_command, &k_doctor_command,
    &k_completion_command, &k_version_command, &k_help_command};

}  // namespace

std::span<const Command* const> all_commands() { return k_commands; }

const Command* find_command(std::string_view name) {
  for (const Command* command : k_commands)
    if (command->name == name) return command;
  return nullptr;
}

}  // namespace fabric::cmd
