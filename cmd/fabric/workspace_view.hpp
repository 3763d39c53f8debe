// SPDX-License-Identifier: Apache-2.0
// The workspace as a whole: what `status` and `top` show.
#pragma once

#include <string>

#include "base/clock.hpp"
#include "config/workspace.hpp"
#include "fabric/json_views.hpp"
#include "fabric/views.hpp"
#include "store/store.hpp"

namespace fabric::cmd {

Result<StatusView> workspace_view(const config::Workspace& workspace, const store::ReadTxn& txn,
                                  const LiveUsageList& usage);
// "2 critical, 30 normal; 5 wait for others, for a time or for a key". view.ready must be there.
std::string ready_in_words(const StatusView& view);
std::string pause_in_words(const Pause& pause, WallTime now);

}  // namespace fabric::cmd
