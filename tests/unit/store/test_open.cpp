// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>

#include "store/directory.hpp"
#include "store/records.pb.h"
#include "store/value.hpp"
#include "tests/unit/store/helpers.hpp"
#include "tests/unit/store/raw.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

namespace {

unsigned mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::lstat(path.c_str(), &info) == 0);
  return info.st_mode & 07777U;
}

Error refusal(const TempDir& dir, Store::Mode mode) {
  Result<Store> store = Store::open(dir.store(), mode);
  REQUIRE(!store);
  return store.error();
}

}  // namespace

TEST_CASE("files belong to their owner alone") {
  TempDir dir;
  const mode_t old = ::umask(0);
  { Store store = create(dir); }
  ::umask(old);
  CHECK(mode_of(dir.store()) == 0700);
  for (const char* name : {"data.mdb", "lock.mdb", "bell"})
    CHECK(mode_of(dir.store() + "/" + name) == 0600);
}

TEST_CASE("a store that is not there is not made by reading or writing") {
  TempDir dir;
  CHECK(refusal(dir, Store::Mode::read).code == ErrorCode::not_found);
  std::filesystem::create_directory(dir.store());
  CHECK(refusal(dir, Store::Mode::write).code == ErrorCode::not_found);
  CHECK(std::filesystem::is_empty(dir.store()));
}

TEST_CASE("making it goes on where a killed one stopped") {
  TempDir dir;
  std::filesystem::create_directory(dir.store());
  MDB_env* env = nullptr;
  REQUIRE(::mdb_env_create(&env) == 0);
  REQUIRE(::mdb_env_open(env, dir.store().c_str(), 0, 0600) == 0);
  ::mdb_env_close(env);
  CHECK(refusal(dir, Store::Mode::write).code == ErrorCode::not_found);
  Store store = create(dir);
  add_agent(store, "a");
}

TEST_CASE("a process has it open once") {
  TempDir dir;
  {
    Store store = create(dir);
    CHECK(refusal(dir, Store::Mode::read).message.find("already") != std::string::npos);
    CHECK(refusal(dir, Store::Mode::read).message.find("already") != std::string::npos);
    CHECK(!compact(dir.store()));
    std::filesystem::create_directory_symlink(dir.path(), dir.path() + "/other");
    CHECK(!Store::open(dir.path() + "/other/store", Store::Mode::read));
  }
  ok(Store::open(dir.store(), Store::Mode::read));
}

TEST_CASE("a newer schema is refused in clear words") {
  TempDir dir;
  { Store store = create(dir); }
  record::Schema schema;
  schema.set_version(4);
  {
    RawStore raw(dir.store());
    raw.put(Table::meta, "schema", make_value(Table::meta, "schema", schema.SerializeAsString()));
  }
  for (Store::Mode mode : {Store::Mode::read, Store::Mode::write, Store::Mode::create}) {
    const Error error = refusal(dir, mode);
    CHECK(error.code == ErrorCode::unavailable);
    CHECK(error.message == dir.store() +
                               ": written by a newer fabric (schema 4, this one knows 3): "
                               "upgrade fabric");
  }
}

TEST_CASE("a file that is cut off is refused before it is mapped, or was whole") {
  TempDir dir;
  {
    Store store = create(dir);
    add_agent(store, "a");
    for (int round = 0; round < 3; ++round) {
      WriteTxn txn = ok(store.write());
      for (int i = 0; i < 30; ++i)
        add_task(txn, task_of("a", "t" + std::to_string(round) + "-" + std::to_string(i)));
      Task big = task_of("a", "big" + std::to_string(round));
      big.payload = std::string(9000, 'b');
      ok(txn.add_task(big, {}));
      ok(txn.commit());
    }
    // Pages at the end that are free again.
    WriteTxn txn = ok(store.write());
    for (uint64_t sequence = 1; sequence <= 93; ++sequence) {
      Task task = *ok(txn.find_task(sequence));
      task.state = TaskState::failed;
      ok(txn.save_task(task));
      if (sequence > 50) ok(txn.remove_task(sequence));
    }
    ok(txn.commit());
  }
  const std::string data = dir.store() + "/data.mdb";
  const auto whole = std::filesystem::file_size(data);
  std::filesystem::copy(data, dir.path() + "/whole");
  int refused = 0;
  for (uintmax_t size = whole + 4096 - 1024; size > 0; size -= size > 1024 ? 1024 : size) {
    if (size >= whole) continue;
    std::filesystem::copy_file(dir.path() + "/whole", data,
                               std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(data, size);
    Result<Store> store = Store::open(dir.store(), Store::Mode::write);
    if (!store) {
      ++refused;
      CHECK(store.error().message.find("data.mdb") != std::string::npos);
      CHECK(std::filesystem::file_size(data) == size);
      continue;
    }
    REQUIRE(ok(ok(store->read()).counts()).total() == 50);
    require_clean(*store);
    add_agent(*store, "b");
    require_clean(*store);
  }
  CHECK(refused > 20);
}

TEST_CASE("garbage instead of a data file is refused") {
  TempDir dir;
  std::filesystem::create_directory(dir.store());
  std::ofstream(dir.store() + "/data.mdb") << std::string(20000, 'x');
  CHECK(refusal(dir, Store::Mode::write).message.find("damaged") != std::string::npos);
}

TEST_CASE("symbolic links and shared directories are refused") {
  TempDir dir;
  std::filesystem::create_directory(dir.path() + "/real");
  std::filesystem::create_directory_symlink(dir.path() + "/real", dir.store());
  CHECK(refusal(dir, Store::Mode::create).code == ErrorCode::denied);
  std::filesystem::remove(dir.store());
  std::ofstream(dir.path() + "/victim") << "precious";
  for (const char* name : {"data.mdb", "lock.mdb"}) {
    std::filesystem::create_directory(dir.store());
    std::filesystem::create_symlink(dir.path() + "/victim", dir.store() + "/" + name);
    CHECK(refusal(dir, Store::Mode::create).code == ErrorCode::denied);
    std::filesystem::remove_all(dir.store());
    std::filesystem::create_directory(dir.store());
    std::filesystem::create_hard_link(dir.path() + "/victim", dir.store() + "/" + name);
    CHECK(refusal(dir, Store::Mode::create).code == ErrorCode::denied);
    std::filesystem::remove_all(dir.store());
  }
  CHECK(std::filesystem::file_size(dir.path() + "/victim") == 8);
  { Store store = create(dir); }
  // A bell that leads elsewhere is not rung.
  std::filesystem::remove(dir.store() + "/bell");
  std::filesystem::create_symlink(dir.path() + "/victim", dir.store() + "/bell");
  {
    Store store = create(dir);
    add_agent(store, "a");
  }
  CHECK(std::filesystem::file_size(dir.path() + "/victim") == 8);
  std::filesystem::permissions(dir.store(), std::filesystem::perms{0720});
  CHECK(refusal(dir, Store::Mode::write).code == ErrorCode::denied);
}

TEST_CASE("network file systems are known by their type") {
  CHECK(std::string(network_file_system(0x6969)) == "NFS");
  CHECK(std::string(network_file_system(static_cast<long>(0xFF534D42))) == "CIFS");
  CHECK(std::string(network_file_system(static_cast<int>(0xFF534D42))) == "CIFS");
  CHECK(std::string(network_file_system(0x01021997)) == "9p");
  for (long local : {0xEF53L, 0x01021994L, 0x58465342L, 0x9123683EL, 0x794C7630L})
    CHECK(network_file_system(local) == nullptr);
}

TEST_CASE("a small map grows by itself") {
  TempDir dir;
  const OpenOptions small{.map_bytes = 256 << 10, .headroom_bytes = 128 << 10};
  Store store = create(dir, small);
  add_agent(store, "a");
  int next = 0;
  for (int round = 0; round < 40; ++round) {
    WriteTxn txn = ok(store.write());
    for (int i = 0; i < 200; ++i) add_task(txn, task_of("a", "t" + std::to_string(next++)));
    ok(txn.commit());
  }
  CHECK(ok(ok(store.read()).counts()).pending == 8000);
  CHECK(ok(store.stat()).map_bytes > small.map_bytes);
  require_clean(store);
}

TEST_CASE("what does not fit fits at the second try") {
  TempDir dir;
  Store store = create(dir, {.map_bytes = 256 << 10, .headroom_bytes = 4096});
  add_agent(store, "a");
  int tries = 0;
  for (bool done = false; !done; ++tries) {
    REQUIRE(tries < 12);
    WriteTxn txn = ok(store.write());
    done = true;
    for (int i = 0; i < 5000 && done; ++i) {
      Task task = task_of("a", "t" + std::to_string(i));
      if (Status added = txn.add_task(task, {}); !added) {
        CHECK(added.error().code == ErrorCode::unavailable);
        done = false;
      }
    }
    if (done) ok(txn.commit());
  }
  CHECK(tries > 1);
  CHECK(ok(ok(store.read()).counts()).pending == 5000);
  require_clean(store);
}

TEST_CASE("a map that another process has grown is followed") {
  TempDir dir;
  const OpenOptions small{.map_bytes = 128 << 10, .headroom_bytes = 32 << 10};
  Store store = create(dir, small);
  add_agent(store, "a");
  const std::string path = dir.store();
  // Not a fork: an environment is not used after one.
  const int status = in_child([&] {
    const std::string program = std::string("/proc/self/exe");
    ::setenv("FABRIC_TEST_GROW", path.c_str(), 1);
    ::execl(program.c_str(), "grow", "[.grow]", static_cast<char*>(nullptr));
    return 99;
  });
  REQUIRE(WEXITSTATUS(status) == 0);
  CHECK(ok(ok(store.read()).counts()).pending == 3000);
  add_agent(store, "b");
  require_clean(store);
}

TEST_CASE("grow", "[.grow]") {
  const char* path = ::getenv("FABRIC_TEST_GROW");
  REQUIRE(path != nullptr);
  Store store = ok(Store::open(path, Store::Mode::write));
  WriteTxn txn = ok(store.write());
  for (int i = 0; i < 3000; ++i) add_task(txn, task_of("a", "t" + std::to_string(i)));
  ok(txn.commit());
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
// (Sanitizers need more than they leave.)
TEST_CASE("little address space is enough") {
  TempDir dir;
  const int status = in_child([&] {
    const rlimit limit{uint64_t{400} << 20, uint64_t{400} << 20};
    ::setrlimit(RLIMIT_AS, &limit);
    Result<Store> store = Store::open(dir.store(), Store::Mode::create);
    if (!store) return 1;
    for (int round = 0; round < 5; ++round) {
      Result<WriteTxn> txn = store->write();
      if (!txn) return 2;
      Agent agent = agent_named("a" + std::to_string(round));
      if (!txn->save_agent(agent) || !txn->commit()) return 3;
    }
    return 0;
  });
  CHECK(WEXITSTATUS(status) == 0);
}
#endif

TEST_CASE("readers that died are forgotten") {
  TempDir dir;
  { Store store = create(dir); }
  for (int i = 0; i < 3; ++i) {
    const int status = in_child([&] {
      Result<Store> store = Store::open(dir.store(), Store::Mode::read);
      if (!store) return 1;
      Result<ReadTxn> txn = store->read();
      if (!txn) return 2;
      ::kill(::getpid(), SIGKILL);
      return 3;
    });
    CHECK(WTERMSIG(status) == SIGKILL);
  }
  Store store = ok(Store::open(dir.store(), Store::Mode::write));
  store.clear_stale_readers();
  add_agent(store, "a");
  CHECK(ok(store.stat()).max_readers == 2048);
}

TEST_CASE("more readers than there is room for are told so") {
  TempDir dir;
  Store store = create(dir);
  std::vector<ReadTxn> readers;
  for (int i = 0; i < 2048; ++i) readers.push_back(ok(store.read()));
  Result<ReadTxn> one_more = store.read();
  REQUIRE(!one_more);
  CHECK(one_more.error().code == ErrorCode::unavailable);
  readers.pop_back();
  ok(store.read());
}

TEST_CASE("a file whose first write was cut short is made anew; one that held commits is not") {
  TempDir dir;
  { Store store = create(dir); }
  const std::string path = dir.store() + "/data.mdb";
  for (const off_t size : {4096, 100, 5000}) {
    // Page 0 counts no commit yet: the first one went into page 1.
    REQUIRE(::truncate(path.c_str(), size) == 0);
    Store store = ok(Store::open(dir.store(), Store::Mode::create));
    require_clean(store);
  }
  {
    Store store = create(dir);
    add_agent(store, "a");
    add_agent(store, "b");
  }
  REQUIRE(::truncate(path.c_str(), 4096) == 0);
  CHECK(!Store::open(dir.store(), Store::Mode::create));
}
