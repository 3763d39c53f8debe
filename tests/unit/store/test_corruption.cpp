// SPDX-License-Identifier: Apache-2.0
// Bits that turn over anywhere in the file: what is read is right or an error; check() finds what
// could mislead LMDB before LMDB walks it, and never crashes itself.
#include <sys/stat.h>

#include <fstream>
#include <map>
#include <random>
#include <sstream>

#include "tests/unit/store/helpers.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

namespace {

constexpr int k_tasks = 300;

std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

struct Sound {
  std::string bytes;
  std::map<std::string, std::string> tasks;
};

Sound make_sound(const TempDir& dir) {
  Sound sound;
  {
    Store store = create(dir);
    add_agent(store, "a");
    for (int round = 0; round < 3; ++round) {
      WriteTxn txn = ok(store.write());
      for (int i = 0; i < k_tasks / 3; ++i) {
        Task task = task_of("a", "t" + std::to_string(round * 1000 + i));
        task.payload = std::string(i % 20 == 0 ? 5000 : 100, 'p');
        ok(txn.add_task(task, {}));
        if (i % 3 == 0) task.state = TaskState::running;
        if (i % 3 == 1) task.state = TaskState::failed;
        ok(txn.save_task(task));
      }
      ok(txn.commit());
    }
    ReadTxn txn = ok(store.read());
    for (const Task& task : ok(txn.list_tasks(filter()))) sound.tasks[task.id] = shown(task);
  }
  sound.bytes = bytes_of(dir.store() + "/data.mdb");
  return sound;
}

enum Outcome { all_right = 0, told = 1, missing = 2, lied = 3, check_failed = 4 };

// In a child: LMDB may crash on a damaged page, which must at least be seen.
int read_all_tasks(const std::string& directory, const Sound& sound) {
  Result<Store> store = Store::open(directory, Store::Mode::read);
  if (!store) return told;
  Result<ReadTxn> txn = store->read();
  if (!txn) return told;
  int worst = all_right;
  for (const auto& [id, expected] : sound.tasks) {
    Result<std::optional<Task>> task = txn->find_task(id);
    if (!task)
      worst = std::max<int>(worst, told);
    else if (!*task)
      worst = std::max<int>(worst, missing);
    else if (shown(**task) != expected)
      return lied;
  }
  auto list = txn->list_tasks(filter());
  if (!list) return std::max<int>(worst, told);
  for (const Task& task : *list)
    if (!sound.tasks.contains(task.id) || sound.tasks.at(task.id) != shown(task)) return lied;
  return list->size() == sound.tasks.size() ? worst : std::max<int>(worst, missing);
}

// 0: clean, 1: it found something or the store was refused.
int check_all(const std::string& directory) {
  Result<Store> store = Store::open(directory, Store::Mode::read);
  if (!store) return 1;
  Result<CheckReport> report = store->check();
  return report && report->problems.empty() ? 0 : 1;
}

}  // namespace

TEST_CASE("damage at random is told or does no harm") {
  TempDir dir(k_memory);
  const Sound sound = make_sound(dir);
  std::mt19937_64 random(11);
  std::map<int, int> outcomes;
  int crashes = 0, found = 0;
  for (int trial = 0; trial < 400; ++trial) {
    INFO("trial " << trial);
    std::string damaged = sound.bytes;
    const size_t at = random() % damaged.size();
    switch (trial % 4) {
      case 0:
      case 1:
        damaged[at] = static_cast<char>(damaged[at] ^ 1 << random() % 8);
        break;
      case 2:
        damaged.replace(at, 512, std::string(512, '\0'));
        break;
      default:
        for (size_t i = at / 4096 * 4096; i < at / 4096 * 4096 + 4096 && i < damaged.size(); ++i)
          damaged[i] = static_cast<char>(random());
    }
    std::ofstream(dir.store() + "/data.mdb", std::ios::binary | std::ios::trunc) << damaged;
    const int checked = in_child([&] { return check_all(dir.store()); });
    REQUIRE(WIFEXITED(checked));  // whatever the damage
    const int read = in_child([&] { return read_all_tasks(dir.store(), sound); });
    if (WEXITSTATUS(checked) == 1) ++found;
    if (WIFSIGNALED(read)) {
      ++crashes;
      CHECK(WEXITSTATUS(checked) == 1);  // the check would have told
      continue;
    }
    ++outcomes[WEXITSTATUS(read)];
    CHECK(WEXITSTATUS(read) != lied);
    if (WEXITSTATUS(read) != all_right) CHECK(WEXITSTATUS(checked) == 1);
  }
  WARN("400 damaged files: " << outcomes[all_right] << " read right, " << outcomes[told]
                             << " told, " << outcomes[missing] << " missed a task, " << crashes
                             << " crashed LMDB; check found " << found);
}
