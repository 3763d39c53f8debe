// SPDX-License-Identifier: Apache-2.0
#include "bench_support.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <numeric>

#include "base/fd.hpp"

extern char** environ;

namespace fabric::bench {
namespace {

std::string number(double value) {
  char text[64];
  const int digits = value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : 3;
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string in_unit(double value, const std::string& unit) {
  return number(value) + (unit.starts_with('/') ? "" : " ") + unit;
}

std::string filesystem_of(const std::string& path) {
  struct statfs info {};
  if (::statfs(path.c_str(), &info) != 0) return "unknown";
  switch (static_cast<unsigned long>(info.f_type)) {
    case 0xEF53:
      return "ext4";
    case 0x01021994:
      return "tmpfs";
    case 0x58465342:
      return "xfs";
    case 0x9123683E:
      return "btrfs";
    case 0x794c7630:
      return "overlayfs";
    default:
      return "other";
  }
}

std::string scratch_parent() {
  const char* given = std::getenv("TMPDIR");
  return given && *given ? given : "/tmp";
}

std::string processor() {
  const Result<std::string> info = read_file("/proc/cpuinfo", size_t{1} << 20);
  const size_t at = info ? info->find("model name") : std::string::npos;
  if (at == std::string::npos) return "unknown";
  const size_t from = info->find(": ", at) + 2;
  return info->substr(from, info->find('\n', from) - from);
}

std::string machine_json() {
  utsname system{};
  ::uname(&system);
  double load = 0;
  ::getloadavg(&load, 1);
  json::Writer w;
  w.begin_object().field("processor", processor()).field("kernel", system.release);
  w.field("cpus", ::sysconf(_SC_NPROCESSORS_ONLN)).field("load", load);
  w.field("scratch_filesystem", filesystem_of(scratch_parent())).end_object();
  return w.take();
}

// A supervisor that cannot be asked is killed; what it leaves ends by its short orphan grace.
void take_down(const std::string& workspace) {
  const pid_t pid = start({fabric_binary(), "down", "-C", workspace});
  const int64_t deadline = now_ns() + 120'000'000'000;
  int status = 0;
  while (::waitpid(pid, &status, WNOHANG) == 0) {
    if (now_ns() < deadline) {
      ::poll(nullptr, 0, 5);
      continue;
    }
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, 0);
    std::fprintf(stderr, "bench: 'fabric down' in %s did not end\n", workspace.c_str());
    return;
  }
}

void remove_scratch(const std::string& scratch) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(scratch, error))
    if (std::filesystem::exists(entry.path() / "fabric.toml", error))
      take_down(entry.path().string());
  std::filesystem::remove_all(scratch, error);
  if (error)
    std::fprintf(stderr, "bench: %s not removed: %s\n", scratch.c_str(), error.message().c_str());
}

int run_body(const Options& options, const std::string& name,
             const std::function<void(const Options&, Report&)>& body) {
  Report report(name);
  try {
    body(options, report);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "bench_%s: %s\n", name.c_str(), failure.what());
    if (!options.json) std::fputs(report.to_table().c_str(), stdout);
    std::fflush(stdout);
    return 1;
  }
  std::fputs((options.json ? report.to_json() + "\n" : report.to_table()).c_str(), stdout);
  std::fflush(stdout);
  return 0;
}

// The exit code of the child; its group is killed when a signal comes or time is up.
int watch_over(pid_t child, int patience_seconds, const sigset_t& signals) {
  const int64_t deadline = now_ns() + int64_t{patience_seconds} * 1'000'000'000;
  for (;;) {
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child)
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    const int64_t left = std::max<int64_t>(0, deadline - now_ns());
    const timespec wait{left / 1'000'000'000, left % 1'000'000'000};
    const int signal = ::sigtimedwait(&signals, nullptr, &wait);
    if (signal == SIGCHLD || (signal < 0 && errno == EINTR)) continue;
    if (signal < 0) std::fprintf(stderr, "bench: not done in %d s\n", patience_seconds);
    ::kill(-child, SIGKILL);
    ::waitpid(child, &status, 0);
    return signal < 0 ? 1 : 128 + signal;
  }
}

}  // namespace

int64_t now_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

void need(const Status& status) {
  if (!status) throw Failure(status.error().message);
}

double Series::quantile_ms(double q) const {
  if (values_.empty()) return 0;
  std::vector<int64_t> sorted = values_;
  const auto at = static_cast<size_t>(q * static_cast<double>(sorted.size() - 1) + 0.5);
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<ptrdiff_t>(at), sorted.end());
  return static_cast<double>(sorted[at]) / 1e6;
}

double Series::median_ms(size_t first, size_t last) const {
  Series part;
  for (size_t i = first; i < std::min(last, values_.size()); ++i) part.add(values_[i]);
  return part.median_ms();
}

Series Series::tail(size_t count) const {
  Series last;
  last.values_.assign(values_.end() - static_cast<ptrdiff_t>(std::min(count, size())),
                      values_.end());
  return last;
}

double Series::total_seconds() const {
  return static_cast<double>(std::accumulate(values_.begin(), values_.end(), int64_t{0})) / 1e9;
}

Row& Row::beside(const Row& other) {
  peer_ = other.name_;
  ratio_ = other.value_ > 0 ? value_ / other.value_ : 0;
  p99_ratio_ = p99_ && other.p99_ && *other.p99_ > 0 ? *p99_ / *other.p99_ : 0;
  return *this;
}
Row& Row::p99(double value) {
  p99_ = value;
  return *this;
}
Row& Row::samples(size_t count) {
  samples_ = count;
  return *this;
}
Row& Row::goal_at_most(double limit) {
  goals_.push_back({"at most " + in_unit(limit, unit_), value_ <= limit});
  return *this;
}
Row& Row::goal_at_least(double limit) {
  goals_.push_back({"at least " + in_unit(limit, unit_), value_ >= limit});
  return *this;
}
Row& Row::goal_p99_at_most(double limit) {
  goals_.push_back({"p99 at most " + in_unit(limit, unit_), p99_ && *p99_ <= limit});
  return *this;
}
Row& Row::goal_ratio_at_most(double limit) {
  goals_.push_back({"at most " + number(limit) + " times " + peer_, ratio_ > 0 && ratio_ <= limit});
  return *this;
}

Row& Row::goal_ratio_at_least(double limit) {
  goals_.push_back({"at least " + number(limit) + " times " + peer_, ratio_ >= limit});
  return *this;
}
Row& Row::goal_p99_ratio_at_most(double limit) {
  goals_.push_back(
      {"p99 at most " + number(limit) + " times that of " + peer_ + ", is " + number(p99_ratio_),
       p99_ratio_ > 0 && p99_ratio_ <= limit});
  return *this;
}

Row& Report::latency(std::string name, const Series& series) {
  Row& row = rows_.emplace_back(std::move(name), "ms", series.median_ms());
  return row.p99(series.quantile_ms(0.99)).samples(series.size());
}

Row& Report::rate(std::string name, double per_second, size_t samples) {
  return rows_.emplace_back(std::move(name), "/s", per_second).samples(samples);
}

Row& Report::figure(std::string name, std::string unit, double value) {
  return rows_.emplace_back(std::move(name), std::move(unit), value);
}

std::string Report::to_table() const {
  size_t width = bench_.size();
  for (const Row& row : rows_) width = std::max(width, row.name_.size());
  char line[512];
  std::snprintf(line, sizeof line, "%-*s  %12s  %12s  %8s  %s\n", static_cast<int>(width),
                bench_.c_str(), "median/rate", "p99", "samples", "beside");
  std::string text = line;
  for (const Row& row : rows_) {
    const std::string p99 = row.p99_ ? in_unit(*row.p99_, row.unit_) : "-";
    const std::string samples = row.samples_ > 0 ? std::to_string(row.samples_) : "-";
    const std::string peer = row.peer_.empty() ? "" : number(row.ratio_) + " x " + row.peer_;
    std::snprintf(line, sizeof line, "%-*s  %12s  %12s  %8s  %s\n", static_cast<int>(width),
                  row.name_.c_str(), in_unit(row.value_, row.unit_).c_str(), p99.c_str(),
                  samples.c_str(), peer.c_str());
    text += line;
    for (const Row::Goal& goal : row.goals_)
      text += "    goal: " + goal.text + (goal.met ? ": met\n" : ": NOT MET\n");
  }
  for (const std::string& note : notes_) text += "note: " + note + "\n";
  return text;
}

std::string Report::to_json() const {
  json::Writer w;
  w.begin_object().field("bench", bench_).key("machine").raw(machine_json());
  w.key("rows").begin_array();
  for (const Row& row : rows_) {
    w.begin_object().field("name", row.name_).field("unit", row.unit_).field("value", row.value_);
    if (row.p99_) w.field("p99", *row.p99_);
    w.field("samples", row.samples_);
    if (!row.peer_.empty()) w.field("beside", row.peer_).field("ratio", row.ratio_);
    if (row.p99_ratio_ > 0) w.field("p99_ratio", row.p99_ratio_);
    w.key("goals").begin_array();
    for (const Row::Goal& goal : row.goals_)
      w.begin_object().field("goal", goal.text).field("met", goal.met).end_object();
    w.end_array().end_object();
  }
  w.end_array().key("notes").begin_array();
  for (const std::string& note : notes_) w.string(note);
  w.end_array().end_object();
  return w.take();
}

int bench_main(int argc, char** argv, const std::string& name, int patience_seconds,
               const std::function<void(const Options&, Report&)>& body) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--json") {
      options.json = true;
    } else if (!argument.empty() && argument.find_first_not_of("0123456789") == std::string::npos) {
      options.numbers.push_back(std::atoll(argv[i]));
    } else {
      std::fprintf(stderr, "usage: bench_%s [--json] [NUMBER]...\n", name.c_str());
      return 2;
    }
  }
  std::string scratch = scratch_parent() + "/fabric-bench.XXXXXX";
  if (!::mkdtemp(scratch.data())) {
    std::fprintf(stderr, "bench_%s: %s: %s\n", name.c_str(), scratch.c_str(), std::strerror(errno));
    return 1;
  }
  options.scratch = scratch;
  ::setenv("XDG_STATE_HOME", (scratch + "/state").c_str(), 1);
  ::unsetenv("FABRIC_WORKSPACE");

  sigset_t signals, before;
  sigemptyset(&signals);
  for (int signal : {SIGCHLD, SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  ::sigprocmask(SIG_BLOCK, &signals, &before);
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    std::exit(run_body(options, name, body));
  }
  ::setpgid(child, child);
  const int code = child < 0 ? 1 : watch_over(child, patience_seconds, signals);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  remove_scratch(scratch);
  return code;
}

namespace {

pid_t start_with(const std::vector<std::string>& argv, int output) {
  static const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  std::vector<char*> pointers;
  pointers.reserve(argv.size() + 1);
  for (const std::string& argument : argv) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_adddup2(&files, null, 0);
  ::posix_spawn_file_actions_adddup2(&files, output < 0 ? null : output, 1);
  ::posix_spawn_file_actions_adddup2(&files, null, 2);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, pointers[0], &files, nullptr, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  if (error != 0) throw Failure(argv[0] + ": " + std::strerror(error));
  return pid;
}

void need_success(int code, const std::vector<std::string>& argv) {
  if (code == 0) return;
  std::string text;
  for (const std::string& argument : argv) text += argument + " ";
  throw Failure(text + "ended with " + std::to_string(code));
}

}  // namespace

pid_t start(const std::vector<std::string>& argv) { return start_with(argv, -1); }

int wait_code(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) throw Failure("waitpid: " + std::string(std::strerror(errno)));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int64_t timed(const std::vector<std::string>& argv) {
  const int64_t begin = now_ns();
  const int code = wait_code(start(argv));
  const int64_t end = now_ns();
  need_success(code, argv);
  return end - begin;
}

std::string output_of(const std::vector<std::string>& argv) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw Failure("pipe");
  const Fd in(ends[0]);
  Fd out(ends[1]);
  const pid_t pid = start_with(argv, out.get());
  out.reset();
  std::string text = need(read_all(in.get()));
  need_success(wait_code(pid), argv);
  return text;
}

std::string fabric_binary() {
  const char* given = std::getenv("FABRIC");
  return given && *given ? given : FABRIC_BENCH_BINARY;
}
std::string program(const std::string& name) { return FABRIC_BENCH_PROGRAMS "/" + name; }

std::vector<std::string> bwrap(const std::string& work_dir,
                               const std::vector<std::string>& command) {
  std::vector<std::string> argv{
      "bwrap",     "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts",
      "--ro-bind", "/usr",          "/usr",          "--symlink",     "usr/bin",
      "/bin",      "--symlink",     "usr/lib",       "/lib",          "--symlink",
      "usr/lib64", "/lib64",        "--ro-bind",     "/etc",          "/etc",
      "--proc",    "/proc",         "--dev",         "/dev",          "--tmpfs",
      "/tmp",      "--bind",        work_dir,        "/work",         "--chdir",
      "/work",     "--cap-drop",    "ALL",           "--new-session", "--"};
  argv.insert(argv.end(), command.begin(), command.end());
  return argv;
}

}  // namespace fabric::bench
