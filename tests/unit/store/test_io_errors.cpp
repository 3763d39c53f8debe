// SPDX-License-Identifier: Apache-2.0
// requires strace: system calls that fail one after the other. A commit may fail; the next one
// works, also after the failure of a meta page (MDB_PANIC), and nothing acknowledged is lost.
#include <stdlib.h>

#include "tests/unit/store/helpers.hpp"

using namespace fabric;
using namespace fabric::store;
using namespace fabric::store::test;

namespace {

// 0, or 125 when there is no strace.
int run_with_failing(const std::string& call, int when, const std::string& store) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string inject = "inject=" + call + ":error=EIO:when=" + std::to_string(when);
  return WEXITSTATUS(in_child([&] {
    ::setenv("FABRIC_TEST_STORE", store.c_str(), 1);
    ::setenv("ASAN_OPTIONS", "detect_leaks=0", 1);  // LeakSanitizer cannot work under strace
    ::execlp("strace", "strace", "-qq", "-o", "/dev/null", "-e", inject.c_str(), self.c_str(),
             "bears failing system calls", "-o", "/dev/null", static_cast<char*>(nullptr));
    return 125;
  }));
}

}  // namespace

TEST_CASE("bears failing system calls", "[.io]") {
  const std::string path = ::getenv("FABRIC_TEST_STORE");
  int committed = 0;
  for (int reopened = 0; reopened < 2; ++reopened) {
    Result<Store> store = Store::open(path, Store::Mode::create);
    if (!store) store = Store::open(path, Store::Mode::create);
    REQUIRE(store);
    for (int i = 0; i < 4; ++i) {
      bool done = false;
      for (int attempt = 0; attempt < 3 && !done; ++attempt) {
        WriteTxn txn = ok(store->write());
        Agent agent = agent_named("a" + std::to_string(committed));
        ok(txn.save_agent(agent));
        done = txn.commit().has_value();
      }
      REQUIRE(done);
      ++committed;
      CHECK(ok(ok(store->read()).list_agents()).size() == static_cast<size_t>(committed));
    }
    require_clean(*store);
  }
}

TEST_CASE("every failing write and sync is survived") {
  for (const char* call : {"pwrite64", "pwritev", "fdatasync", "fsync", "fallocate", "ftruncate"}) {
    for (int when = 1; when <= (std::string(call) == "pwrite64" ? 30 : 10); ++when) {
      TempDir dir(k_memory);
      INFO(call << " number " << when);
      const int code = run_with_failing(call, when, dir.store());
      if (code == 125) {
        WARN("skipped: requires strace");
        return;
      }
      CHECK(code == 0);
    }
  }
}
