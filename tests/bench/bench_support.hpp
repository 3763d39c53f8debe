// SPDX-License-Identifier: Apache-2.0
// What every benchmark needs: samples, a report that sets each figure beside its floor or peer and
// its goal, a temporary workspace that always goes away, and processes that are timed.
// Failures are exceptions here: nothing to measure, nothing to report. One thread unless said.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace fabric::bench {

int64_t now_ns();  // CLOCK_MONOTONIC

// Bounds a measurement in time: fewer samples on a slow or busy machine, never a longer run.
class Budget {
 public:
  explicit Budget(int seconds) : end_(now_ns() + int64_t{seconds} * 1'000'000'000) {}
  [[nodiscard]] bool left() const { return now_ns() < end_; }

 private:
  int64_t end_;
};

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class T>
T need(Result<T> result) {
  if (!result) throw Failure(result.error().message);
  return std::move(*result);
}
void need(const Status& status);

// Durations in nanoseconds.
class Series {
 public:
  void add(int64_t ns) { values_.push_back(ns); }
  void add(const Series& other) {
    values_.insert(values_.end(), other.values_.begin(), other.values_.end());
  }
  [[nodiscard]] size_t size() const { return values_.size(); }
  [[nodiscard]] double quantile_ms(double q) const;
  [[nodiscard]] double median_ms() const { return quantile_ms(0.5); }
  // Of the samples from `first` to `last`.
  [[nodiscard]] double median_ms(size_t first, size_t last) const;
  [[nodiscard]] double total_seconds() const;
  [[nodiscard]] Series tail(size_t count) const;

 private:
  std::vector<int64_t> values_;
};

// One measurement. `value` is a median for durations and a mean for rates.
class Row {
 public:
  Row(std::string name, std::string unit, double value) : name_(name), unit_(unit), value_(value) {}
  // Its floor or peer of the same run: shown as value / that value.
  Row& beside(const Row& other);
  Row& p99(double value);
  Row& samples(size_t count);
  Row& goal_at_most(double limit);
  Row& goal_at_least(double limit);
  Row& goal_p99_at_most(double limit);
  Row& goal_ratio_at_most(double limit);
  Row& goal_ratio_at_least(double limit);
  // Of its 99th percentile to the peer's.
  Row& goal_p99_ratio_at_most(double limit);
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] double value() const { return value_; }

 private:
  struct Goal {
    std::string text;
    bool met;
  };
  friend class Report;
  std::string name_, unit_;
  double value_;
  std::optional<double> p99_;
  size_t samples_ = 0;
  std::string peer_;
  double ratio_ = 0, p99_ratio_ = 0;
  std::vector<Goal> goals_;
};

class Report {
 public:
  explicit Report(std::string bench) : bench_(std::move(bench)) {}
  // References stay valid.
  Row& latency(std::string name, const Series& series);
  Row& rate(std::string name, double per_second, size_t samples);
  Row& figure(std::string name, std::string unit, double value);
  void note(std::string text) { notes_.push_back(std::move(text)); }
  [[nodiscard]] std::string to_table() const;
  [[nodiscard]] std::string to_json() const;

 private:
  std::string bench_;
  std::deque<Row> rows_;
  std::vector<std::string> notes_;
};

struct Options {
  bool json = false;
  std::vector<int64_t> numbers;  // positional arguments
  std::string scratch;           // a new directory, removed at the end with what runs in it
};

// The whole of main(): `--json` prints an object instead of the table. `body` runs in a child, so
// that workspaces below Options::scratch are taken down and removed also when it dies, is
// interrupted or takes longer than `patience_seconds`.
int bench_main(int argc, char** argv, const std::string& name, int patience_seconds,
               const std::function<void(const Options&, Report&)>& body);

// Starts a program with stdout and stderr to /dev/null.
pid_t start(const std::vector<std::string>& argv);
int wait_code(pid_t pid);  // exit code, 128 + n for a signal
// Starts it and waits for its end, which must be exit code 0: nanoseconds.
int64_t timed(const std::vector<std::string>& argv);
// What it printed; its end must be exit code 0.
std::string output_of(const std::vector<std::string>& argv);

std::string fabric_binary();                   // $FABRIC, else that of the build
std::string program(const std::string& name);  // of tests/bench/programs

// One bubblewrap command with the namespaces, mounts and drops of an agent at level `process`.
std::vector<std::string> bwrap(const std::string& work_dir,
                               const std::vector<std::string>& command);

}  // namespace fabric::bench
