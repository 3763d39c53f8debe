// SPDX-License-Identifier: Apache-2.0
// The limit of a work directory, where it is kept by looking: what counts, what attackers hide, and
// that what goes on writing ends.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <mutex>

#include "fixture.hpp"
#include "isolation/disk_usage.hpp"
#include "isolation/disk_watch.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

constexpr uint64_t k_mib = uint64_t{1} << 20;

void write_bytes(const std::string& path, size_t bytes) {
  const Fd file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0600).value();
  REQUIRE(write_all(file.get(), std::string(bytes, 'x')));
}

uint64_t bytes_in(const std::string& path) { return measure_directory(path, {}).value().bytes; }

// A sandbox whose owner ends it when it is over its limit, as a supervisor does.
struct Watched {
  Fixture fixture;
  std::mutex mutex;
  std::vector<DiskWatch::Over> told;
  std::optional<DiskWatch> watch;
  Sandbox sandbox;

  explicit Watched(uint64_t limit, IsolationLevel level = IsolationLevel::process)
      : sandbox(make(limit, level)) {
    watch.emplace(DiskWatch::start([this](const DiskWatch::Over& over) {
                    std::lock_guard lock(mutex);
                    told.push_back(over);
                  }).value());
    REQUIRE(watch->add(sandbox.identity, fixture.work(""), limit));
  }
  Sandbox make(uint64_t limit, IsolationLevel level) {
    SandboxSpec spec = fixture.spec(level);
    spec.limits.disk_bytes = limit;
    Sandbox made = fixture.create(spec);
    CHECK(made.disk_quota == "watched");
    return made;
  }
  // Its end, or nullopt when it is still running after `seconds`.
  std::optional<AttemptExit> run_for(const std::string& script, int seconds) {
    const Fd none;
    const StartRequest start = shell(script);
    REQUIRE(sandbox.connection.start(start, none, none, none));
    const MonoTime deadline = system_clock().monotonic() + Duration::seconds(seconds);
    while (system_clock().monotonic() < deadline) {
      if (auto event = next_event(sandbox, 20))
        if (auto* exit = std::get_if<AttemptExit>(&*event)) {
          (void)sandbox.connection.acknowledge_exit(exit->attempt);
          return *exit;
        }
      std::lock_guard lock(mutex);
      for (const DiskWatch::Over& over : told)
        REQUIRE(sandbox.connection.over_limit(EndReason::disk, over.message));
      told.clear();
    }
    return std::nullopt;
  }
};

// Writes for ever, a few MiB a second at most, so that what passes between two looks is little.
const char* const k_write =
    "python3 -c '\nimport os, time\ni = 0\nwhile True:\n"
    "  i += 1\n  open(\"f%d\" % i, \"wb\").write(bytes(1 << 20))\n  time.sleep(0.05)'";

}  // namespace

TEST_CASE("a directory is measured by what it takes on disk") {
  Fixture fixture;
  const std::string work = fixture.work("");
  const uint64_t empty = bytes_in(work);
  CHECK(empty <= 4096);
  write_bytes(fixture.work("a"), 3 * k_mib);
  CHECK(bytes_in(work) - empty == 3 * k_mib);
  // A second name is no second file, a hole takes nothing.
  REQUIRE(::link(fixture.work("a").c_str(), fixture.work("b").c_str()) == 0);
  write_bytes(fixture.work("hole"), 0);
  REQUIRE(::truncate(fixture.work("hole").c_str(), 1 << 30) == 0);
  CHECK(bytes_in(work) - empty == 3 * k_mib + 1024);
  // Reserved, and not written.
  const Fd file = open_file(fixture.work("reserved"), O_WRONLY | O_CREAT, 0600).value();
  if (::fallocate(file.get(), FALLOC_FL_KEEP_SIZE, 0, 2 << 20) == 0)
    CHECK(bytes_in(work) - empty == 5 * k_mib + 1024);
  // What a link points to is not in it.
  REQUIRE(::symlink("/usr", fixture.work("link").c_str()) == 0);
  CHECK(bytes_in(work) - empty < 6 * k_mib);
  CHECK(measure_directory(work, {}).value().files == 4);
  CHECK_FALSE(measure_directory(fixture.work("none"), {}));
}

TEST_CASE("what has no name but is open counts") {
  Fixture fixture;
  const uint64_t empty = bytes_in(fixture.work(""));
  write_bytes(fixture.work("a"), 2 * k_mib);
  const Fd open = open_file(fixture.work("a"), O_RDONLY).value();
  const Fd again = open_file(fixture.work("a"), O_RDONLY).value();
  REQUIRE(::unlink(fixture.work("a").c_str()) == 0);
  CHECK(bytes_in(fixture.work("")) == empty);
  CHECK(measure_directory(fixture.work(""), {::getpid()}).value().bytes - empty == 2 * k_mib);
}

TEST_CASE("depth is no place to hide") {
  Fixture fixture;
  std::string path = fixture.work("");
  int parent = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; i < 400; ++i) {
    REQUIRE(::mkdirat(parent, "d", 0700) == 0);
    const int child = ::openat(parent, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ::close(parent);
    parent = child;
  }
  ::close(parent);
  CHECK(measure_directory(fixture.work(""), {}).value().too_deep);
}

TEST_CASE("a directory that is closed to its owner is measured, and stays closed") {
  Fixture fixture;
  REQUIRE(::mkdir(fixture.work("closed").c_str(), 0700) == 0);
  write_bytes(fixture.work("closed/a"), 2 * k_mib);
  REQUIRE(::chmod(fixture.work("closed").c_str(), 0) == 0);
  // Root reads everything anyway: then by an ordinary user's eyes.
  const bool root = ::geteuid() == 0;
  if (root) {
    REQUIRE(::chmod(fixture.directory().c_str(), 0755) == 0);
    for (const std::string name : {"", "closed", "closed/a"})
      REQUIRE(::chown(fixture.work(name).c_str(), 65534, 65534) == 0);
    REQUIRE(::seteuid(65534) == 0);
    ::prctl(PR_SET_DUMPABLE, 1);  // else /proc/self would be root's
  }
  const uint64_t bytes = bytes_in(fixture.work(""));
  if (root) REQUIRE(::seteuid(0) == 0);
  CHECK(bytes >= 2 * k_mib);
  struct stat status {};
  REQUIRE(::stat(fixture.work("closed").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0);
}

TEST_CASE("who writes more than the limit ends, who stays below it does not") {
  for (const IsolationLevel level : {IsolationLevel::process, IsolationLevel::none}) {
    Watched watched(20 * k_mib, level);
    auto exit = watched.run_for(k_write, 30);
    REQUIRE(exit);
    CHECK(exit->reason == EndReason::disk);
    CHECK(exit->message.find("more than its limit of 20.0 MiB") != std::string::npos);
    const uint64_t held = bytes_in(watched.fixture.work(""));
    CHECK(held > 20 * k_mib);
    CHECK(held < 40 * k_mib);
    CHECK(watched.watch->used(watched.sandbox.identity.cgroup).value() > 20 * k_mib);
    // As long as it is over, nothing goes on; with room again, it does.
    exit = watched.run_for("while :; do sleep 0.1; done", 20);
    REQUIRE(exit);
    CHECK(exit->reason == EndReason::disk);
    for (const auto& entry : std::filesystem::directory_iterator(watched.fixture.work("")))
      std::filesystem::remove_all(entry.path());
    exit = watched.run_for("head -c 4000000 /dev/zero > f; sleep 1", 20);
    REQUIRE(exit);
    CHECK(exit->reason == EndReason::exited);
    CHECK(exit->exit_code == 0);
  }
  Watched free(uint64_t{1} << 40);  // the same is written where there is room
  CHECK_FALSE(free.run_for(k_write, 4));
}

TEST_CASE("what is hidden from a look at the directory is found all the same") {
  const char* const attacks[] = {
      // removed, but open
      "python3 -c '\nimport os, time\nfiles = []\nwhile True:\n"
      "  files.append(open(\"f\", \"wb\")); os.unlink(\"f\"); files[-1].write(bytes(1 << 20))\n"
      "  files[-1].flush(); time.sleep(0.05)'",
      // reserved, and never written
      "i=0; while :; do i=$((i + 1)); : > f$i; fallocate -n -l 1048576 f$i; sleep 0.05; done",
      // many files with nothing in them
      "python3 -c '\nimport os\ni = 0\nwhile True:\n  i += 1\n"
      "  if i % 1000 == 1: os.mkdir(\"d%d\" % i); d = i\n"
      "  os.close(os.open(\"d%d/%d\" % (d, i), os.O_CREAT))'",
      // below what can be walked
      "python3 -c '\nimport os\nfor i in range(400): os.mkdir(\"d\"); os.chdir(\"d\")\n"
      "import time; time.sleep(60)'"};
  for (const char* attack : attacks) {
    INFO(attack);
    Watched watched(16 * k_mib);
    auto exit = watched.run_for(attack, 60);
    REQUIRE(exit);
    CHECK(exit->reason == EndReason::disk);
  }
}

TEST_CASE("a watch tells how much there is before anything runs, and forgets what is removed") {
  Fixture fixture;
  write_bytes(fixture.work("a"), k_mib);
  Sandbox sandbox = fixture.create();
  DiskWatch watch = DiskWatch::start([](const DiskWatch::Over&) {}).value();
  const std::string& name = sandbox.identity.cgroup;
  REQUIRE(watch.add(sandbox.identity, fixture.work(""), 0));  // over it, and nothing runs
  const MonoTime deadline = system_clock().monotonic() + Duration::seconds(10);
  while (!watch.used(name)) REQUIRE(system_clock().monotonic() < deadline);
  CHECK(watch.used(name).value() >= k_mib);
  watch.remove(name);
  CHECK_FALSE(watch.used(name));
}

TEST_CASE("an attempt that is frozen while it starts comes through, and ends") {
  Watched watched(k_mib);
  write_bytes(watched.fixture.work("a"), 2 * k_mib);
  // Each time anew the watch finds it over its limit for the first time, and freezes.
  for (int i = 0; i < 40; ++i) {
    REQUIRE(watched.watch->add(watched.sandbox.identity, watched.fixture.work(""), k_mib));
    auto exit = watched.run_for("sleep 0.0" + std::to_string(i % 10), 20);
    REQUIRE(exit);
    CHECK((exit->reason == EndReason::disk || exit->exit_code == 0));
  }
}
