// SPDX-License-Identifier: Apache-2.0
// A store of schema 1 becomes one of the present schema when it is first opened, whole or not at
// all.
#include <signal.h>
#include <time.h>

#include "store/environment.hpp"
#include "store/ownership.hpp"
#include "tests/unit/store/fixture.hpp"
#include "tests/unit/store/raw.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

namespace {

uint32_t schema_of(const TempDir& dir) {
  RawStore raw(dir.store());
  record::Schema schema;
  const std::string value = raw.get(Table::meta, k_meta_schema);
  REQUIRE(schema.ParseFromString(std::string(ok(open_value(Table::meta, k_meta_schema, value)))));
  return schema.version();
}

}  // namespace

TEST_CASE("each way to open upgrades, and finds the same") {
  for (const Store::Mode mode : {Store::Mode::read, Store::Mode::write, Store::Mode::create}) {
    INFO("mode " << static_cast<int>(mode));
    TempDir dir(k_memory);
    copy_fixture(dir, "0.1.0");
    {
      Store store = ok(Store::open(dir.store(), mode));
      CHECK(ok(store.stat()).schema_version == k_schema_version);
      require_clean(store);
      const ReadTxn txn = ok(store.read());
      CHECK(ok(txn.list_tasks(filter())).size() == 8);
      const std::vector<LaneBacklog> lanes = ok(txn.ready_lanes());
      REQUIRE(lanes.size() == 1);
      CHECK(lanes[0].lane == Lane{1, 1, Priority::high, 0});
      CHECK(ok(txn.lane_head(lanes[0].lane)) == ok(txn.find_task("ready"))->sequence);
      CHECK(ok(txn.pending_tasks(1, 10)).size() == 2);
      CHECK(ok(txn.find_task("waiting"))->lane.queue == 1);
    }
    CHECK(schema_of(dir) == k_schema_version);
    // It is done once.
    Store again = ok(Store::open(dir.store(), Store::Mode::read));
    require_clean(again);
  }
}

TEST_CASE("a task of before the upgrade, ended or not, is the same task when it is sent again") {
  TempDir dir(k_memory);
  copy_fixture(dir, "0.1.0");
  Store store = ok(Store::open(dir.store(), Store::Mode::write));
  const ReadTxn txn = ok(store.read());
  for (const char* id : {"ready", "running", "completed", "timed-out"}) {
    const Task stored = *ok(txn.find_task(id));
    CHECK(stored.share == "ann");  // who did not say a share is in that of his name
    Task sent = stored;
    sent.state = TaskState::pending;
    CHECK(same_submission(stored, sent));
  }
}

TEST_CASE("an upgrade is refused while another process owns the workspace") {
  TempDir dir;
  copy_fixture(dir, "0.1.0");
  std::filesystem::create_directory(dir.path() + "/run");
  int ready[2], done[2];
  REQUIRE(::pipe(ready) == 0);
  REQUIRE(::pipe(done) == 0);
  const pid_t owner = ::fork();
  if (owner == 0) {
    const auto mine = Ownership::acquire(dir.path() + "/run/owner", Ownership::Kind::exclusive, {});
    char byte = mine && *mine ? 'y' : 'n';
    if (::write(ready[1], &byte, 1) == 1) static_cast<void>(::read(done[0], &byte, 1));
    ::_exit(0);
  }
  char held = 0;
  REQUIRE(::read(ready[0], &held, 1) == 1);
  REQUIRE(held == 'y');
  for (const Store::Mode mode : {Store::Mode::read, Store::Mode::write, Store::Mode::create}) {
    const Result<Store> store = Store::open(dir.store(), mode);
    REQUIRE(!store);
    CHECK(store.error().code == ErrorCode::unavailable);
    CHECK_THAT(store.error().message,
               Catch::Contains("written by an older fabric, and process " + std::to_string(owner)));
  }
  CHECK(schema_of(dir) == 1);
  REQUIRE(::write(done[1], "x", 1) == 1);
  REQUIRE(::waitpid(owner, nullptr, 0) == owner);
  for (const int fd : {ready[0], ready[1], done[0], done[1]}) ::close(fd);
  CHECK(Store::open(dir.store(), Store::Mode::write));
}

// Killed at many moments between its start and its end: old or new, and the next open finishes.
TEST_CASE("an upgrade that is killed leaves a store of the one schema or of the other") {
  int old = 0, upgraded = 0;
  for (long delay_us = 0; upgraded < 10 && delay_us < 900000; delay_us += 40 + delay_us / 20) {
    TempDir dir;  // on a disk: there is more of it in the middle
    copy_fixture(dir, "0.1.0");
    const pid_t child = ::fork();
    if (child == 0) {
      const Result<Store> store = Store::open(dir.store(), Store::Mode::write);
      ::_exit(store ? 0 : 1);
    }
    const timespec delay{0, delay_us * 1000};
    ::nanosleep(&delay, nullptr);
    ::kill(child, SIGKILL);
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    (schema_of(dir) == 1 ? old : upgraded) += 1;
    Store store = ok(Store::open(dir.store(), Store::Mode::read));
    require_clean(store);
    CHECK(ok(ok(store.read()).list_tasks(filter())).size() == 8);
    CHECK(ok(store.stat()).schema_version == k_schema_version);
  }
  CHECK(old > 0);
  CHECK(upgraded > 0);
}

// What a killed one may leave: new tables are there, and the schema is the old one.
TEST_CASE("an upgrade goes on where tables have been made already") {
  TempDir dir(k_memory);
  copy_fixture(dir, "0.1.0");
  {
    MDB_env* env = nullptr;
    MDB_txn* txn = nullptr;
    REQUIRE(::mdb_env_create(&env) == 0);
    ::mdb_env_set_maxdbs(env, k_tables + 5);
    REQUIRE(::mdb_env_open(env, dir.store().c_str(), 0, 0600) == 0);
    REQUIRE(::mdb_txn_begin(env, nullptr, 0, &txn) == 0);
    for (const char* table : k_table_names) {
      MDB_dbi dbi = 0;
      REQUIRE(::mdb_dbi_open(txn, table, MDB_CREATE, &dbi) == 0);
    }
    REQUIRE(::mdb_txn_commit(txn) == 0);
    ::mdb_env_close(env);
  }
  Store store = ok(Store::open(dir.store(), Store::Mode::read));
  require_clean(store);
  CHECK(ok(ok(store.read()).ready_lanes()).size() == 1);
}
