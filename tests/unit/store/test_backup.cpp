// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include <fstream>
#include <random>

#include "tests/unit/store/helpers.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

namespace {

void fill(Store& store, int tasks) {
  add_agent(store, "a");
  WriteTxn txn = ok(store.write());
  for (int i = 0; i < tasks; ++i) {
    Task task = task_of("a", "t" + std::to_string(i));
    if (i % 10 == 0) task.payload = std::string(5000, 'p');
    ok(txn.add_task(task, {}));
  }
  ok(txn.commit());
}

std::vector<std::string> all_tasks(const Store& store) {
  std::vector<std::string> out;
  const ReadTxn txn = ok(store.read());
  for (const Task& task : ok(txn.list_tasks(filter()))) out.push_back(shown(task));
  return out;
}

// Many free pages.
void make_loose(Store& store, int tasks) {
  fill(store, tasks);
  for (int i = 0; i < tasks; i += 2) {
    WriteTxn txn = ok(store.write());
    Task task = *ok(txn.find_task("t" + std::to_string(i)));
    task.state = TaskState::completed;
    task.finished_at.us = 1;
    ok(txn.save_task(task));
    ok(txn.remove_task(task.sequence));
    ok(txn.commit());
  }
}

}  // namespace

TEST_CASE("a backup is a store, and overwrites nothing") {
  TempDir dir;
  std::vector<std::string> before;
  {
    Store store = create(dir);
    fill(store, 200);
    WriteTxn writing = ok(store.write());  // it does not wait for writers
    add_task(writing, task_of("a", "later"));
    ok(store.backup(dir.path() + "/backup"));
    ok(writing.commit());
    before = all_tasks(store);
    before.erase(before.begin());
    const Status again = store.backup(dir.path() + "/backup");
    REQUIRE(!again);
    CHECK(again.error().code == ErrorCode::usage);
    std::ofstream(dir.path() + "/file") << "x";
    CHECK(!store.backup(dir.path() + "/file"));
    CHECK(!store.backup(dir.path() + "/no/such"));
    std::filesystem::create_directory(dir.path() + "/empty");
    std::ofstream(dir.path() + "/empty/data.mdb.partial") << "of one that was killed";
    ok(store.backup(dir.path() + "/empty"));
    CHECK(!std::filesystem::exists(dir.path() + "/empty/data.mdb.partial"));
  }
  Store copy = ok(Store::open(dir.path() + "/backup", Store::Mode::write));
  CHECK(all_tasks(copy) == before);
  require_clean(copy);
  add_agent(copy, "b");
  const auto mode = std::filesystem::status(dir.path() + "/backup/data.mdb").permissions();
  CHECK(mode == std::filesystem::perms{0600});
}

TEST_CASE("compaction keeps everything and gives space back") {
  TempDir dir;
  std::vector<std::string> before;
  {
    Store store = create(dir);
    make_loose(store, 400);
    before = all_tasks(store);
  }
  const auto size = std::filesystem::file_size(dir.store() + "/data.mdb");
  ok(compact(dir.store()));
  CHECK(std::filesystem::file_size(dir.store() + "/data.mdb") < size);
  Store store = ok(Store::open(dir.store(), Store::Mode::write));
  CHECK(all_tasks(store) == before);
  require_clean(store);
  add_agent(store, "b");
  WriteTxn txn = ok(store.write());
  CHECK(add_task(txn, task_of("b", "next")) == 401);
}

TEST_CASE("compaction is refused while anybody has the store open") {
  TempDir dir;
  { Store store = create(dir); }
  int go[2], done[2];
  REQUIRE((::pipe(go) == 0 && ::pipe(done) == 0));
  const pid_t child = ::fork();
  if (child == 0) {
    Result<Store> store = Store::open(dir.store(), Store::Mode::read);
    char c = store ? 'y' : 'n';
    static_cast<void>(!::write(done[1], &c, 1));
    static_cast<void>(!::read(go[0], &c, 1));
    ::_exit(0);
  }
  char c = 0;
  REQUIRE(::read(done[0], &c, 1) == 1);
  const Status status = compact(dir.store());
  REQUIRE(!status);
  CHECK(status.error().code == ErrorCode::unavailable);
  CHECK(status.error().message.find(std::to_string(child)) != std::string::npos);
  REQUIRE(::write(go[1], "x", 1) == 1);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  ok(compact(dir.store()));
  CHECK(!compact(dir.path() + "/none"));
}

TEST_CASE("compaction is killed at any moment: old or new, never between") {
  TempDir dir;
  std::vector<std::string> before;
  {
    Store store = create(dir);
    make_loose(store, 100);
    before = all_tasks(store);
  }
  std::mt19937_64 random(9);
  for (int round = 0; round < 150; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      static_cast<void>(compact(dir.store()));
      ::_exit(0);
    }
    ::usleep(static_cast<unsigned>(random() % 4000));
    ::kill(child, SIGKILL);
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    Store store = ok(Store::open(dir.store(), Store::Mode::write));
    REQUIRE(all_tasks(store) == before);
    require_clean(store);
  }
}

TEST_CASE("who opens while it is compacted gets the new file or a clear word") {
  TempDir dir;
  std::vector<std::string> before;
  {
    Store store = create(dir);
    make_loose(store, 100);
    before = all_tasks(store);
  }
  for (int round = 0; round < 60; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      Result<Store> store = Status(compact(dir.store())).and_then([&] {
        return Store::open(dir.store(), Store::Mode::read);
      });
      ::_exit(store || store.error().code == ErrorCode::unavailable ? 0 : 1);
    }
    for (int i = 0; i < 5; ++i) {
      Result<Store> store = Store::open(dir.store(), Store::Mode::write);
      if (!store) {
        INFO(store.error().message);
        CHECK(store.error().code == ErrorCode::unavailable);
        continue;
      }
      REQUIRE(all_tasks(*store) == before);
      WriteTxn txn = ok(store->write());
      CHECK(ok(txn.next_unique()) > 0);
      ok(txn.commit());
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  Store store = ok(Store::open(dir.store(), Store::Mode::write));
  require_clean(store);
}
