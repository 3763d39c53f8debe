// SPDX-License-Identifier: Apache-2.0
#include "after_cut.hpp"

#include <algorithm>
#include <unordered_map>

namespace fabric::crash {
namespace {

class CutStore {
 public:
  CutStore(const std::vector<Commit>& commits, size_t acknowledged, Verdict& verdict)
      : commits_(commits), acknowledged_(acknowledged), verdict_(verdict) {}

  Status judge(store::Store& store, Random& random) {
    TRY_STATUS(check(store));
    const size_t held = TRY(commits_held(store));
    for (size_t i = 0; i < held; ++i) known_.learn(commits_[i]);
    verdict_.tasks = known_.there.size();
    verdict_.open = known_.open.size();
    verdict_.running = known_.running.size();
    TRY_STATUS(compare(store));
    if (!verdict_.damage.empty() || !verdict_.losses.empty()) return {};
    return go_on(store, held, random);
  }

 private:
  void damaged(std::string what) { verdict_.damage.push_back(std::move(what)); }
  void lost(std::string what) { verdict_.losses.push_back(std::move(what)); }

  Status check(const store::Store& store) {
    for (const std::string& problem : TRY(store.check()).problems) damaged("check: " + problem);
    return {};
  }

  // How much of the history must be in it: all that was acknowledged, and one commit more at most.
  Result<size_t> commits_held(const store::Store& store) {
    const uint64_t transaction = TRY(store.stat()).last_transaction;
    size_t held = 0;
    while (held < commits_.size() && commits_[held].transaction <= transaction) ++held;
    if (held < acknowledged_)
      lost(std::to_string(acknowledged_ - held) + " acknowledged commits are gone");
    // (A commit that changed nothing has the number of the one before.)
    if (acknowledged_ < commits_.size() && transaction > commits_[acknowledged_].transaction)
      damaged("commits of the future");
    verdict_.newer = held > acknowledged_;
    return std::max(held, acknowledged_);
  }

  Status compare(const store::Store& store) {
    const store::ReadTxn txn = TRY(store.read());
    store::TaskFilter all;
    all.limit = 0;
    size_t found = 0;
    for (const Task& task : TRY(txn.list_tasks(all))) {
      const auto known = known_.there.find(task.id);
      if (known == known_.there.end()) {
        lost("task " + task.id + ": is there and was removed, or never scheduled");
        continue;
      }
      ++found;
      if (!same_submission(*known->second, task) || known->second->sequence != task.sequence)
        lost("task " + task.id + ": has other content");
      const Snapshot is = TRY(snapshot_of(txn, task));
      const Snapshot& was = known_.last.at(task.id);
      if (is != was)
        lost("task " + task.id + ": acknowledged as " + to_string(was) + ", is " + to_string(is));
    }
    if (found != known_.there.size())
      for (const auto& [id, task] : known_.there)
        if (!TRY(txn.find_task(id))) lost("task " + id + ": acknowledged and lost");
    return {};
  }

  Status go_on(store::Store& store, size_t held, Random& random) {
    HandClock clock(held == 0 ? WallTime{1} : commits_[held - 1].at);
    clock.pass(Duration::seconds(static_cast<int64_t>(random.below(30))));
    Workload workload(store, clock, random, known_);
    Status ended = workload.begin();
    if (ended) ended = workload.recover();
    if (ended) ended = workload.run_to_end();
    if (!ended) lost("after the cut: " + ended.error().message);
    for (const std::string& problem : workload.problems()) lost("after the cut: " + problem);
    TRY_STATUS(check(store));
    std::vector<Step> history;
    for (size_t i = 0; i < held; ++i)
      history.insert(history.end(), commits_[i].steps.begin(), commits_[i].steps.end());
    for (const Commit& commit : workload.commits())
      history.insert(history.end(), commit.steps.begin(), commit.steps.end());
    for (std::string& broken : broken_promises(history, capacity(), ended.has_value()))
      lost(std::move(broken));
    return {};
  }

  const std::vector<Commit>& commits_;
  const size_t acknowledged_;
  Verdict& verdict_;
  KnownTasks known_;
};

}  // namespace

Verdict judge_after_cut(const std::string& store, const std::vector<Commit>& commits,
                        size_t acknowledged, Random& random) {
  Verdict verdict;
  Result<store::Store> opened = store::Store::open(store, store::Store::Mode::write);
  if (!opened) {
    verdict.damage.push_back("does not open: " + opened.error().message);
    return verdict;
  }
  const Status judged = CutStore(commits, acknowledged, verdict).judge(*opened, random);
  if (!judged) verdict.damage.push_back("cannot be read: " + judged.error().message);
  return verdict;
}

}  // namespace fabric::crash
