// SPDX-License-Identifier: Apache-2.0
// READY=1 to whoever started us, as sd_notify(3): systemd, or start_supervisor().
#pragma once

namespace fabric {

// Does nothing without NOTIFY_SOCKET in the environment.
void notify_ready();

}  // namespace fabric
