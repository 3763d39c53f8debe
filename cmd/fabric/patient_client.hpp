// SPDX-License-Identifier: Apache-2.0
// A client that can wait until a full queue has space.
#pragma once

#include <optional>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "config/workspace.hpp"
#include "supervisor/client.hpp"

namespace fabric::cmd {

class PatientClient {
 public:
  // `patience`: how long a submission may wait for space; 0: not at all.
  static Result<PatientClient> open(const config::Workspace& workspace, Duration patience);

  [[nodiscard]] bool supervised() const { return supervised_; }
  // As Client::schedule(). When it is refused with queue_full, again after each event that may have
  // made space.
  Result<SubmitReply> schedule(const Submission& submission);

 private:
  PatientClient(config::Workspace workspace, Duration patience)
      : workspace_(std::move(workspace)), patience_(patience) {}
  Result<uint64_t> last_event();
  // True when there was such an event after `cursor`; false when the time is up.
  Result<bool> wait_for_space(uint64_t cursor, Duration patience);
  config::Workspace workspace_;
  Duration patience_;
  std::optional<Client> client_;  // none while the store is open
  bool supervised_ = false;
};

}  // namespace fabric::cmd
