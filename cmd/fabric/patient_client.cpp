// SPDX-License-Identifier: Apache-2.0
#include "fabric/patient_client.hpp"

#include "fabric/output.hpp"
#include "fabric/session.hpp"

namespace fabric::cmd {
namespace {

// After it, fewer tasks are pending somewhere.
bool makes_space(EventKind kind) {
  switch (kind) {
    case EventKind::task_started:
    case EventKind::task_completed:
    case EventKind::task_failed:
    case EventKind::task_cancelled:
    case EventKind::task_timed_out:
    case EventKind::task_changed:
      return true;
    default:
      return false;
  }
}

}  // namespace

Result<PatientClient> PatientClient::open(const config::Workspace& workspace, Duration patience) {
  PatientClient client(workspace, patience);
  client.client_ = TRY(Client::open(workspace));
  client.supervised_ = client.client_->supervised();
  return client;
}

Result<uint64_t> PatientClient::last_event() {
  client_.reset();
  const store::Store store = TRY(open_store(workspace_));
  return TRY(store.read()).last_event();
}

Result<bool> PatientClient::wait_for_space(uint64_t cursor, Duration patience) {
  client_.reset();
  const store::Store store = TRY(open_store(workspace_));
  Status status;
  const auto done = [&](const store::ReadTxn& txn) {
    constexpr size_t k_at_once = 1000;
    for (;;) {
      auto events = txn.events(cursor, k_at_once);
      if (!events) {
        status = fail(events.error());
        return true;
      }
      for (const Event& event : *events)
        if (makes_space(event.kind)) return true;
      if (!events->empty()) cursor = events->back().sequence;
      if (events->size() < k_at_once) return false;
    }
  };
  const Status waited = wait_for(store, done, patience);
  TRY_STATUS(status);
  if (!waited && waited.error().code == ErrorCode::timed_out) return false;
  TRY_STATUS(waited);
  return true;
}

Result<SubmitReply> PatientClient::schedule(const Submission& submission) {
  const MonoTime deadline = system_clock().monotonic() + patience_;
  // Read before each further try, so that no space that is made after it goes unnoticed.
  std::optional<uint64_t> cursor;
  for (;;) {
    if (!client_) client_ = TRY(Client::open(workspace_));
    Result<SubmitReply> reply = client_->schedule(submission);
    if (reply || reply.error().code != ErrorCode::queue_full || patience_.ns == 0) return reply;
    if (cursor) {
      const Duration left = deadline - system_clock().monotonic();
      if (left.ns <= 0 || !TRY(wait_for_space(*cursor, left))) return reply;
    } else {
      note(reply.error().message + "; waiting for space");
    }
    cursor = TRY(last_event());
  }
}

}  // namespace fabric::cmd
