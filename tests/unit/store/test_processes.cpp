// SPDX-License-Identifier: Apache-2.0
// Several processes, and their sudden death. The parent has no store open when it forks.
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>

#include <algorithm>
#include <random>

#include "base/fd.hpp"
#include "tests/unit/store/helpers.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

namespace {

struct Child {
  pid_t pid = 0;
  Fd acknowledgements;
};

// Adds tasks, a few in a transaction, for ever or `most` of them; writes the number of each
// transaction's last task into the pipe when it has been committed.
Child start_writer(const std::string& directory, const std::string& name, int most) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(ends[0]);
    Result<Store> store = Store::open(directory, Store::Mode::write);
    if (!store) ::_exit(2);
    for (int n = 0; n < most;) {
      Result<WriteTxn> txn = store->write();
      if (!txn) ::_exit(3);
      for (int i = 0; i <= n % 5; ++i, ++n) {
        Result<WriteTxn> inner = txn->nested();
        Task task = task_of("a", name + std::to_string(n));
        if (n % 7 == 0) task.payload = std::string(6000, 'p');
        if (!inner || !inner->add_task(task, {})) ::_exit(4);
        if (n % 3 == 0) {
          task.state = TaskState::running;
          if (!inner->save_task(task)) ::_exit(5);
        }
        if (!inner->commit()) ::_exit(6);
      }
      if (!txn->commit()) ::_exit(7);
      const int last = n - 1;
      if (::write(ends[1], &last, sizeof last) != static_cast<ssize_t>(sizeof last)) ::_exit(8);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  return {pid, Fd(ends[0])};
}

// The last number that came; -1 when none did.
int last_acknowledged(const Child& child) {
  const std::string bytes = ok(read_all(child.acknowledgements.get()));
  int last = -1;
  if (bytes.size() >= sizeof last)
    std::copy_n(bytes.data() + (bytes.size() / sizeof last - 1) * sizeof last, sizeof last,
                reinterpret_cast<char*>(&last));
  return last;
}

int wait_for(pid_t pid) {
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return status;
}

}  // namespace

TEST_CASE("two processes write in turn and lose nothing") {
  TempDir dir;
  { add_agent(*std::make_unique<Store>(create(dir)), "a"); }
  const Child one = start_writer(dir.store(), "x", 300);
  const Child two = start_writer(dir.store(), "y", 300);
  CHECK(wait_for(one.pid) == 0);
  CHECK(wait_for(two.pid) == 0);
  Store store = ok(Store::open(dir.store(), Store::Mode::read));
  ReadTxn txn = ok(store.read());
  CHECK(ok(txn.counts()).total() >= 600);
  for (int n = 0; n < 300; ++n) {
    CHECK(ok(txn.find_task("x" + std::to_string(n))));
    CHECK(ok(txn.find_task("y" + std::to_string(n))));
  }
  require_clean(store);
}

TEST_CASE("a writer is killed at any moment: what it acknowledged is there") {
  TempDir dir;
  { add_agent(*std::make_unique<Store>(create(dir)), "a"); }
  std::mt19937_64 random(5);
  uint64_t acknowledged = 0;
  for (int round = 0; round < 300; ++round) {
    INFO("round " << round);
    const std::string name = "r" + std::to_string(round) + "-";
    const Child child = start_writer(dir.store(), name, 1 << 20);
    // Every other time it is certainly at work.
    pollfd first{child.acknowledgements.get(), POLLIN, 0};
    if (round % 2 == 0) CHECK(::poll(&first, 1, 30000) == 1);
    ::usleep(static_cast<unsigned>(random() % 8000));
    ::kill(child.pid, SIGKILL);
    CHECK(WTERMSIG(wait_for(child.pid)) == SIGKILL);
    const int last = last_acknowledged(child);
    Store store = ok(Store::open(dir.store(), Store::Mode::write));
    ReadTxn txn = ok(store.read());
    for (int n = 0; n <= last; ++n) REQUIRE(ok(txn.find_task(name + std::to_string(n))));
    acknowledged += static_cast<uint64_t>(last + 1);
    CHECK(ok(txn.counts()).total() >= acknowledged);
    if (round % 30 == 29) require_clean(store);
  }
  CHECK(acknowledged > 100);
}

TEST_CASE("the first opening is killed at any moment: the next one succeeds") {
  std::mt19937_64 random(6);
  for (int round = 0; round < 150; ++round) {
    TempDir dir(round % 2 == 0 ? k_memory : "/tmp");
    const pid_t child = ::fork();
    if (child == 0) {
      static_cast<void>(Store::open(dir.store(), Store::Mode::create));
      ::_exit(0);
    }
    ::usleep(static_cast<unsigned>(random() % 1500));
    ::kill(child, SIGKILL);
    wait_for(child);
    Store store = create(dir);
    add_agent(store, "a");
    require_clean(store);
  }
}

TEST_CASE("several processes make it at once") {
  for (int round = 0; round < 20; ++round) {
    TempDir dir;
    std::vector<pid_t> children;
    for (int i = 0; i < 4; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        Result<Store> store = Store::open(dir.store(), Store::Mode::create);
        if (!store) ::_exit(1);
        Result<WriteTxn> txn = store->write();
        Agent agent = agent_named("a" + std::to_string(i));
        ::_exit(txn && txn->save_agent(agent) && txn->commit() ? 0 : 2);
      }
      children.push_back(child);
    }
    for (const pid_t child : children) CHECK(wait_for(child) == 0);
    Store store = ok(Store::open(dir.store(), Store::Mode::read));
    CHECK(ok(ok(store.read()).list_agents()).size() == 4);
    require_clean(store);
  }
}

TEST_CASE("readers see whole transactions while another process writes") {
  TempDir dir;
  { add_agent(*std::make_unique<Store>(create(dir)), "a"); }
  const Child child = start_writer(dir.store(), "x", 400);
  Store store = ok(Store::open(dir.store(), Store::Mode::read));
  uint64_t before = 0;
  while (before < 400) {
    ReadTxn txn = ok(store.read());
    const uint64_t total = ok(txn.counts()).total();
    CHECK(total >= before);
    CHECK(ok(txn.list_tasks(filter())).size() == total);
    before = total;
  }
  CHECK(wait_for(child.pid) == 0);
  require_clean(store);
}

TEST_CASE("a check is not disturbed by a writer") {
  TempDir dir;
  { add_agent(*std::make_unique<Store>(create(dir)), "a"); }
  const Child child = start_writer(dir.store(), "x", 2000);
  Store store = ok(Store::open(dir.store(), Store::Mode::read));
  for (int i = 0; i < 30; ++i) require_clean(store);
  CHECK(wait_for(child.pid) == 0);
}

TEST_CASE("the bell wakes a reader in another process") {
  TempDir dir;
  { add_agent(*std::make_unique<Store>(create(dir)), "a"); }
  const Fd watch(::inotify_init1(IN_CLOEXEC));
  REQUIRE(::inotify_add_watch(watch.get(), (dir.store() + "/bell").c_str(), IN_MODIFY) >= 0);
  const Child child = start_writer(dir.store(), "x", 1);
  pollfd poll{watch.get(), POLLIN, 0};
  CHECK(::poll(&poll, 1, 10000) == 1);
  CHECK(wait_for(child.pid) == 0);
}
