// SPDX-License-Identifier: Apache-2.0
// Power cuts: a queue at work is recorded down to its disk writes, the power is cut at random
// moments of the recording, and what the disk then holds must keep every promise: no acknowledged
// task lost, none run to completion twice under one attempt, no dependency overtaken.
//
//   power_cut [-n POINTS] [-s SEED] [-x nosync] [-o POINT] [-d DIRECTORY]
//
// -x nosync: a disk that acknowledges syncs and does not make them; then losses MUST be found,
// which shows that the test sees them. -o: only this point, of the same seed; its image is kept.
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>

#include "after_cut.hpp"
#include "base/fd.hpp"
#include "disk_image.hpp"

namespace fabric::crash {
namespace {

constexpr size_t k_points_of_a_recording = 150;
constexpr size_t k_commits = 400;
constexpr unsigned k_patience_seconds = 120;

struct Options {
  size_t points = 300;
  uint64_t seed = 1;
  Disk disk = Disk::honest;
  std::optional<size_t> only;
  std::string directory = "/dev/shm";
};

struct Totals {
  size_t points = 0, damaged = 0, lost = 0, newer = 0;
  uint64_t tasks = 0, open = 0, running = 0, commits = 0, writes = 0;
};

// What a child tells its parent, before the lines.
struct Report {
  uint64_t tasks = 0, open = 0, running = 0;
  bool damaged = false, lost = false, newer = false;
};

[[noreturn]] void give_up(const std::string& why) { throw std::runtime_error(why); }
template <class T>
T need(Result<T> result, const char* what) {
  if (!result) give_up(std::string(what) + ": " + result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

struct Recording {
  std::vector<DiskOperation> operations;
  std::vector<Commit> commits;
  size_t begin = 0;  // of the disk operations: the workspace was there
};

Recording record(const std::string& directory, uint64_t seed) {
  Random random(seed);
  HandClock clock(WallTime{1700000000000000});
  DiskRecorder disk(directory + "/data.mdb");
  Recording recording;
  {
    store::Store store =
        need(store::Store::open(directory, store::Store::Mode::create), "making a store");
    need(add_agents(store), "making agents");
    recording.begin = disk.position();
    Workload workload(store, clock, random, {});
    workload.acknowledged = [&](Commit& commit) { commit.position = disk.position(); };
    need(workload.begin(), "the workload");
    for (size_t i = 0; i < k_commits; ++i)
      need(workload.step(random.between(1, random.percent(10) ? 40 : 6)), "the workload");
    recording.commits = workload.commits();
    std::vector<Step> history;
    for (const Commit& commit : recording.commits)
      history.insert(history.end(), commit.steps.begin(), commit.steps.end());
    std::vector<std::string> broken = broken_promises(history, capacity(), false);
    broken.insert(broken.end(), workload.problems().begin(), workload.problems().end());
    if (!disk.escaped().empty()) broken.push_back("the recording misses " + disk.escaped());
    if (!broken.empty()) give_up("without any cut: " + broken.front());
  }
  recording.operations = disk.operations();
  return recording;
}

// Anywhere; and often where a commit is just about to be told, or was.
size_t random_cut(const Recording& recording, Random& random) {
  const size_t end = recording.operations.size();
  if (random.percent(75)) return random.between(recording.begin, end);
  return std::min(end, random.of(recording.commits).position - 2 + random.below(4));
}

void write_store(const std::string& directory, const std::string& image) {
  if (::mkdir(directory.c_str(), 0700) != 0) give_up(directory);
  std::ofstream file(directory + "/data.mdb", std::ios::binary);
  file.write(image.data(), static_cast<std::streamsize>(image.size()));
  file.close();
  if (!file) give_up("no room for an image in " + directory);
}

class Battery {
 public:
  explicit Battery(Options options) : options_(std::move(options)) {
    scratch_ = options_.directory + "/fabric-power-cut-XXXXXX";
    if (::mkdtemp(scratch_.data()) == nullptr) give_up("no directory in " + options_.directory);
  }
  ~Battery() {
    if (!keep_) std::filesystem::remove_all(scratch_);
  }
  Battery(const Battery&) = delete;
  Battery& operator=(const Battery&) = delete;

  int run() {
    for (size_t first = 0; first < options_.points; first += k_points_of_a_recording) {
      const size_t end = std::min(options_.points, first + k_points_of_a_recording);
      if (!options_.only || (*options_.only >= first && *options_.only < end))
        run_recording(first, end);
    }
    return verdict();
  }

 private:
  void run_recording(size_t first, size_t end) {
    const std::string directory = scratch_ + "/recorded";
    const Recording recording = record(directory, options_.seed + first);
    check_whole(recording, directory);
    std::filesystem::remove_all(directory);
    totals_.commits += recording.commits.size();
    totals_.writes += recording.operations.size();
    Random random(options_.seed * 31 + first);
    std::vector<size_t> cuts;
    for (size_t i = first; i < end; ++i) cuts.push_back(random_cut(recording, random));
    std::sort(cuts.begin(), cuts.end());
    DiskImage disk(recording.operations, options_.disk);
    for (size_t i = 0; i < cuts.size(); ++i) {
      const std::string image = disk.after_cut(cuts[i], random);
      if (!options_.only || *options_.only == first + i)
        run_point(recording, cuts[i], first + i, image);
    }
  }

  // All that was recorded is all that was written.
  static void check_whole(const Recording& recording, const std::string& directory) {
    Random random(0);
    std::vector<DiskOperation> synced = recording.operations;
    synced.push_back({DiskOperation::Kind::sync, false, 0, {}});
    if (DiskImage(synced, Disk::honest).after_cut(synced.size(), random) !=
        need(read_file(directory + "/data.mdb"), "reading"))
      give_up("the recording misses writes");
  }

  // In a process of its own: a damaged store may take its reader with it.
  void run_point(const Recording& recording, size_t cut, size_t point, const std::string& image) {
    const std::string directory = scratch_ + "/point";
    std::filesystem::remove_all(directory);
    write_store(directory, image);
    size_t acknowledged = 0;
    while (acknowledged < recording.commits.size() &&
           recording.commits[acknowledged].position <= cut)
      ++acknowledged;
    int ends[2];
    if (::pipe2(ends, 0) != 0) give_up("pipe2");
    const pid_t child = ::fork();
    if (child < 0) give_up("fork");
    if (child == 0) {
      ::close(ends[0]);
      judge(recording, directory, acknowledged, point, ends[1]);
    }
    ::close(ends[1]);
    read_report(ends[0], child, point, cut);
    ::close(ends[0]);
  }

  [[noreturn]] void judge(const Recording& recording, const std::string& directory,
                          size_t acknowledged, size_t point, int out) const {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::alarm(k_patience_seconds);
    // LMDB's assertions on a damaged store, of a disk that lies.
    if (options_.disk == Disk::lying && std::freopen("/dev/null", "w", stderr) == nullptr) _exit(3);
    Random random(options_.seed * 1000003 + point);
    const Verdict verdict = judge_after_cut(directory, recording.commits, acknowledged, random);
    const Report report{verdict.tasks,           verdict.open,
                        verdict.running,         !verdict.damage.empty(),
                        !verdict.losses.empty(), verdict.newer};
    std::string text(reinterpret_cast<const char*>(&report), sizeof report);
    for (const auto* lines : {&verdict.damage, &verdict.losses})
      for (size_t i = 0; i < std::min<size_t>(lines->size(), 10); ++i)
        text += "  " + (*lines)[i].substr(0, 400) + "\n";
    const bool written = ::write(out, text.data(), text.size()) > 0;  // fits into a pipe
    ::_exit(written ? 0 : 3);
  }

  void read_report(int in, pid_t child, size_t point, size_t cut) {
    std::string text;
    char part[4096];
    for (ssize_t n = 0; (n = ::read(in, part, sizeof part)) > 0;)
      text.append(part, static_cast<size_t>(n));
    int status = 0;
    ::waitpid(child, &status, 0);
    Report report;
    if (text.size() >= sizeof report) {
      std::memcpy(&report, text.data(), sizeof report);
      text.erase(0, sizeof report);
    } else {
      report.damaged = true;
      text = WIFSIGNALED(status)
                 ? std::string("  its reader died: ") + ::sigdescr_np(WTERMSIG(status)) + "\n"
                 : "  its reader said nothing\n";
    }
    ++totals_.points;
    totals_.damaged += report.damaged;
    totals_.lost += report.lost;
    totals_.newer += report.newer;
    totals_.tasks += report.tasks;
    totals_.open += report.open;
    totals_.running += report.running;
    const bool broken = report.damaged || report.lost;
    if (options_.only) keep_ = true;
    if (broken && (options_.disk == Disk::honest || options_.only)) {
      std::printf("point %zu, cut before disk operation %zu:\n%s", point, cut, text.c_str());
      std::printf("  again: power_cut -s %llu -n %zu -o %zu\n",
                  static_cast<unsigned long long>(options_.seed), options_.points, point);
    }
  }

  int verdict() const {
    const Totals& t = totals_;
    std::printf(
        "seed %llu: %zu cuts in %llu commits (%llu writes and syncs), with %llu tasks, %llu "
        "of them open and %llu running; %zu found a commit that was under way\n",
        static_cast<unsigned long long>(options_.seed), t.points,
        static_cast<unsigned long long>(t.commits), static_cast<unsigned long long>(t.writes),
        static_cast<unsigned long long>(t.tasks), static_cast<unsigned long long>(t.open),
        static_cast<unsigned long long>(t.running), t.newer);
    std::printf("%zu stores damaged, %zu with losses\n", t.damaged, t.lost);
    if (keep_) std::printf("image kept in %s\n", scratch_.c_str());
    if (options_.disk == Disk::honest) return t.damaged + t.lost == 0 && t.points > 0 ? 0 : 1;
    // A test that sees nothing where much is lost is no test.
    return t.lost > 0 && t.damaged + t.lost > t.points / 2 ? 0 : 1;
  }

  const Options options_;
  std::string scratch_;
  Totals totals_;
  bool keep_ = false;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int c = 0; (c = ::getopt(argc, argv, "n:s:x:o:d:")) != -1;) {
    if (c == 'n') options.points = std::strtoull(::optarg, nullptr, 10);
    if (c == 's') options.seed = std::strtoull(::optarg, nullptr, 10);
    if (c == 'o') options.only = std::strtoull(::optarg, nullptr, 10);
    if (c == 'd') options.directory = ::optarg;
    if (c == 'x' && std::strcmp(::optarg, "nosync") == 0) options.disk = Disk::lying;
    if (c == '?' || (c == 'x' && options.disk == Disk::honest)) {
      std::fprintf(stderr,
                   "power_cut [-n POINTS] [-s SEED] [-x nosync] [-o POINT] [-d DIRECTORY]\n");
      std::exit(2);
    }
  }
  return options;
}

}  // namespace
}  // namespace fabric::crash

int main(int argc, char** argv) try {
  return fabric::crash::Battery(fabric::crash::parse(argc, argv)).run();
} catch (const std::exception& error) {
  std::fprintf(stderr, "power_cut: %s\n", error.what());
  return 2;
}
