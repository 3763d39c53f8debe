// SPDX-License-Identifier: Apache-2.0
// requires root: a small tmpfs of its own.
#include <sys/mount.h>

#include <fstream>

#include "tests/unit/store/helpers.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

namespace {

class SmallDisk {
 public:
  explicit SmallDisk(const std::string& path, const char* size) : path_(path) {
    std::filesystem::create_directory(path);
    mounted_ = ::mount("tmpfs", path.c_str(), "tmpfs", 0, size) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  [[nodiscard]] bool mounted() const { return mounted_; }

 private:
  std::string path_;
  bool mounted_ = false;
};

}  // namespace

TEST_CASE("a full disk is an error, loses nothing, and the store works on") {
  TempDir dir;
  const std::string disk_path = dir.path() + "/disk";
  SmallDisk disk(disk_path, "size=3m,mode=0700");
  if (!disk.mounted()) {
    WARN("skipped: requires root");
    return;
  }
  const std::string directory = disk_path + "/store";
  Store store = ok(Store::open(directory, Store::Mode::create));
  add_agent(store, "a");
  int committed = 0;
  Error error;
  while (error.message.empty()) {
    WriteTxn txn = ok(store.write());
    for (int i = 0; i < 50; ++i)
      add_task(txn, task_of("a", "t" + std::to_string(committed) + "-" + std::to_string(i)));
    if (Status status = txn.commit(); !status)
      error = status.error();
    else
      ++committed;
    REQUIRE(committed < 1000);
  }
  CHECK(committed > 10);
  CHECK(error.code == ErrorCode::unavailable);
  CHECK(error.message.find("disk full") != std::string::npos);
  CHECK(ok(ok(store.read()).counts()).pending == static_cast<uint64_t>(committed) * 50);
  require_clean(store);

  // Small changes still go, on pages that are free again: tasks end, and are removed.
  for (uint64_t sequence = 1; sequence <= 20; ++sequence) {
    WriteTxn txn = ok(store.write());
    Task task = *ok(txn.find_task(sequence));
    task.state = TaskState::cancelled;
    ok(txn.save_task(task));
    ok(txn.commit());
  }
  require_clean(store);
}

TEST_CASE("a store cannot be made on a full disk, and nothing dies of it") {
  TempDir dir;
  const std::string disk_path = dir.path() + "/disk";
  SmallDisk disk(disk_path, "size=512k,mode=0700");
  if (!disk.mounted()) {
    WARN("skipped: requires root");
    return;
  }
  for (size_t left : {size_t{0}, size_t{4096}, size_t{65536}, size_t{140000}, size_t{160000}}) {
    std::filesystem::remove_all(disk_path + "/store");
    std::filesystem::remove(disk_path + "/filler");
    std::ofstream(disk_path + "/filler")
        << std::string((512 << 10) - 4096 - left / 4096 * 4096, 'x');
    Result<Store> store = Store::open(disk_path + "/store", Store::Mode::create);
    if (store) continue;
    CHECK(store.error().code == ErrorCode::unavailable);
    CHECK(store.error().message.find("disk full") != std::string::npos);
    std::filesystem::remove(disk_path + "/filler");
    ok(Store::open(disk_path + "/store", Store::Mode::create));
  }
}
