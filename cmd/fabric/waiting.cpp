// SPDX-License-Identifier: Apache-2.0
#include "fabric/waiting.hpp"

#include <algorithm>

#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/terminal.hpp"
#include "fabric/text.hpp"
#include "supervisor/client.hpp"

namespace fabric::cmd {
namespace {

// Knows how many of the tasks, in the order given, have ended.
class Watchlist {
 public:
  Watchlist(const store::ReadTxn& txn, const std::vector<std::string>& ids, Status& status)
      : tasks_(ids.size()) {
    for (size_t i = 0; i < ids.size() && status; ++i) {
      auto task = require_task(txn, ids[i]);
      if (!task) {
        status = fail(task.error());
        return;
      }
      tasks_[i] = *std::move(task);
      if (!is_terminal(tasks_[i].state)) open_.push_back(i);
    }
    std::reverse(open_.begin(), open_.end());
  }
  bool look(const store::ReadTxn& txn, Status& status) {
    // In order, and only as far as they have ended: a look must not cost more the more there are.
    while (!open_.empty()) {
      const size_t i = open_.back();
      auto task = txn.find_task(tasks_[i].sequence);
      if (!task) status = fail(task.error());
      if (!task || !*task) break;
      tasks_[i] = **std::move(task);
      if (!is_terminal(tasks_[i].state)) break;
      open_.pop_back();
    }
    return open_.empty() || !status;
  }
  [[nodiscard]] size_t open() const { return open_.size(); }
  [[nodiscard]] std::vector<Task> take() { return std::move(tasks_); }

 private:
  std::vector<Task> tasks_;
  std::vector<size_t> open_;
};

}  // namespace

Result<std::vector<Task>> wait_for_tasks(const config::Workspace& workspace,
                                         const store::Store& store,
                                         const std::vector<std::string>& ids, Duration patience) {
  Status status;
  std::optional<Watchlist> list;
  {
    const store::ReadTxn txn = TRY(store.read());
    list.emplace(txn, ids, status);
    TRY_STATUS(status);
    if (list->open() > 0 && !TRY(supervisor_status(workspace, txn)).running)
      note("no supervisor runs, so nothing ends these tasks; next: fabric up --detach");
  }
  if (list->open() == 0) return list->take();
  Progress progress;
  const auto done = [&](const store::ReadTxn& txn) {
    const bool finished = list->look(txn, status);
    if (ids.size() > 1)
      progress.show("waiting: " + std::to_string(ids.size() - list->open()) + " of " +
                    count_of(ids.size(), "task") + " ended");
    return finished;
  };
  const Status waited = wait_for(store, done, patience);
  TRY_STATUS(status);
  if (!waited && waited.error().code == ErrorCode::timed_out)
    return fail(ErrorCode::timed_out,
                "gave up waiting after " + human(patience) + ": " + count_of(list->open(), "task") +
                    " did not end",
                "'fabric status ID' shows what a task waits for");
  TRY_STATUS(waited);
  return list->take();
}

}  // namespace fabric::cmd
