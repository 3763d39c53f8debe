# docs/json.md describes every field of every answer: the two are compared.
load helper

fields_of_manual() {
  fabric __man "$@" | sed -n '/^\.Sh JSON/,/^\.Sh SEE/s/^\.It Va "\(.*\)"$/\1/p' | sort
}

fields_of_docs() {
  sed -n "/^## fabric $1\$/,/^## /s/^| \`\([a-z_]*\)\` .*/\1/p" "$BATS_TEST_DIRNAME/../../docs/json.md" | sort
}

@test "docs/json.md has every field of every command, and no other" {
  while read -r name; do
    # shellcheck disable=SC2086
    expect_equal "$(fields_of_docs "$name")" "$(fields_of_manual $name)" || { echo "of $name" >&2; return 1; }
  done < <(fabric __man --list)
}

@test "the fields of tasks, agents and status are those that were promised" {
  fabric spawn a -- true
  fabric schedule a --id t --wait >/dev/null
  diff - <(fabric status t --json | jq -r 'keys_unsorted | join(" ")') <<'END'
id agent type state reason detail priority created_at started_at finished_at attempt timeout_seconds exit_code signal result_bytes stderr_bytes dropped_bytes metadata depends_on waiting_on payload user correlation_id traceparent cpu_seconds memory_peak_bytes usage after deadline start_at no_progress_timeout_seconds queue_ttl_seconds retries slots share exclusive group require not_before lease_until dead retried_as retry_of attempts
END
  diff - <(fabric status a --json | jq -r 'keys_unsorted | join(" ")') <<'END'
id state health detail kind command model tools isolation limits user labels env max_concurrent_tasks max_queue_depth pool timeout_seconds pid spawned_at started_at last_heartbeat_at restarts tasks memory_bytes cpu_seconds pids cpu_throttled_seconds pids_refused io_read_bytes io_written_bytes net_received_bytes net_sent_bytes disk_bytes disk_quota degraded egress learning
END
  diff - <(fabric status --json | jq -r 'keys_unsorted | join(" ")') <<'END'
workspace supervisor agents queue ready pauses pressure recurring dead
END
}
