// SPDX-License-Identifier: Apache-2.0
// Where the command of a sandbox that is made for it alone begins to run: on the processor that
// made the sandbox, which has nothing else to do until it has started. Left alone the kernel would
// give it an idle one, which has to be woken from its sleep and knows none of what is in the
// caches.
#pragma once

namespace fabric::init {

void stay_on_processor();  // before the clone
void leave_processor();    // after it, in both

}  // namespace fabric::init
