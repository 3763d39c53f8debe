// SPDX-License-Identifier: Apache-2.0
#include "fabric/waiting.hpp"

#include "fabric/output.hpp"
#include "fabric/progress_line.hpp"
#include "fabric/session.hpp"
#include "fabric/terminal.hpp"
#include "fabric/text.hpp"
#include "fabric/watchlist.hpp"
#include "supervisor/client.hpp"

namespace fabric::cmd {

Result<Waited> wait_for_tasks(const config::Workspace& workspace, const store::Store& store,
                              const WaitOptions& options) {
  std::optional<Watchlist> list;
  {
    const store::ReadTxn txn = TRY(store.read());
    list = TRY(Watchlist::open(txn, options));
    if (!list->satisfied() && !TRY(supervisor_status(workspace, txn)).running)
      note("no supervisor runs, so nothing ends these tasks; next: fabric up --detach");
  }
  if (list->satisfied()) return list->take();
  Progress progress;
  Status status;
  const size_t ended_before = list->size() - list->open();
  const MonoTime start = system_clock().monotonic();
  const auto done = [&](const store::ReadTxn& txn) {
    status = list->look(txn);
    if (list->size() > 1)
      progress.show(progress_line({list->size(), list->size() - list->open(), list->failed(),
                                   ended_before, system_clock().monotonic() - start}));
    return list->satisfied() || !status;
  };
  const Status waited = wait_for(store, done, options.patience);
  TRY_STATUS(status);
  if (!waited && waited.error().code == ErrorCode::timed_out)
    return fail(ErrorCode::timed_out,
                "gave up waiting after " + human(options.patience) + ": " +
                    count_of(list->open(), "task") + " did not end",
                "'fabric status ID' shows what a task waits for");
  TRY_STATUS(waited);
  return list->take();
}

}  // namespace fabric::cmd
