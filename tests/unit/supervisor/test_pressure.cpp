// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/fd.hpp"
#include "supervisor/pressure.hpp"

using namespace fabric;

namespace {

constexpr const char* k_stall =
    "some avg10=87.25 avg60=1.93 avg300=2.82 total=6061123123\n"
    "full avg10=99.00 avg60=0.00 avg300=0.00 total=0\n";

// The files of a machine; those that are not written are not there.
class Machine {
 public:
  Machine() {
    char name[] = "/tmp/fabric-pressure-XXXXXX";
    directory_ = ::mkdtemp(name);
    sources.cpu = directory_ + "/cpu";
    sources.memory = directory_ + "/memory";
    sources.load = directory_ + "/loadavg";
    sources.meminfo = directory_ + "/meminfo";
    sources.processors = 2;
  }
  ~Machine() {
    std::error_code error;
    std::filesystem::remove_all(directory_, error);
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  static void write(const std::string& path, std::string_view text) {
    REQUIRE(write_file_atomically(path, text, 0600));
  }
  PressureSources sources;

 private:
  std::string directory_;
};

PressureReading cpu(double value) { return {value, 0.0}; }

}  // namespace

TEST_CASE("stalls are read from the first line") {
  CHECK(parse_stall(k_stall) == 87.25);
  CHECK(parse_stall("some avg10=0.00 avg60=0.00") == 0.0);
  CHECK(parse_stall("some avg10=100.00") == 100.0);
  for (const char* text : {"", "some", "some avg10=", "some avg10=x", "some avg10=-1.00",
                           "some avg10=100.01", "some avg10=nan", "some avg10=inf",
                           "some avg60=1.00", "full avg10=1.00", "xsome avg10=1.00"})
    CHECK_FALSE(parse_stall(text));
}

TEST_CASE("load counts above one per processor") {
  CHECK(parse_load("0.00 0.00 0.00 1/1 1", 2) == 0.0);
  CHECK(parse_load("2.00 9.00 9.00 3/92 1310", 2) == 0.0);
  CHECK(parse_load("3.50 0 0", 2) == 75.0);
  CHECK(parse_load("3.50 0 0", 4) == 0.0);
  CHECK(parse_load("400.00 0 0", 4) == 100.0);
  for (const char* text : {"", "x", "-1.0 0 0", "nan", "inf"}) CHECK_FALSE(parse_load(text, 2));
  CHECK_FALSE(parse_load("1.0", 0));
}

TEST_CASE("memory counts when less than a tenth is available") {
  const auto available = [](const std::string& kib) {
    return parse_available("MemTotal:       1000 kB\nMemFree:        1 kB\nMemAvailable:  " + kib +
                           " kB\nBuffers: 0 kB\n");
  };
  CHECK(available("1000") == 0.0);
  CHECK(available("100") == 0.0);
  CHECK(available("50").value() == Approx(50));
  CHECK(available("20").value() == Approx(80));
  CHECK(available("0") == 100.0);
  CHECK_FALSE(available("x"));
  CHECK_FALSE(parse_available(""));
  CHECK_FALSE(parse_available("MemAvailable: 5 kB\n"));
  CHECK_FALSE(parse_available("MemTotal: 5 kB\n"));
  CHECK_FALSE(parse_available("MemTotal: 0 kB\nMemAvailable: 0 kB\n"));
  CHECK_FALSE(parse_available("XMemTotal: 5 kB\nXMemAvailable: 5 kB\n"));
}

TEST_CASE("a machine is read by its stalls, and without them by load and memory") {
  Machine machine;
  CHECK_FALSE(read_pressure(machine.sources).cpu);
  CHECK_FALSE(read_pressure(machine.sources).memory);
  Machine::write(machine.sources.load, "3.00 0.00 0.00 1/1 1\n");
  Machine::write(machine.sources.meminfo, "MemTotal: 1000 kB\nMemAvailable: 25 kB\n");
  PressureReading reading = read_pressure(machine.sources);
  CHECK(reading.cpu == 50.0);
  CHECK(reading.memory.value() == Approx(75));
  Machine::write(machine.sources.cpu, k_stall);
  Machine::write(machine.sources.memory, "some avg10=1.50 avg60=0.00 avg300=0.00 total=0\n");
  reading = read_pressure(machine.sources);
  CHECK(reading.cpu == 87.25);
  CHECK(reading.memory == 1.5);
  Machine::write(machine.sources.cpu, "");  // a kernel that has the file but not the figures
  CHECK(read_pressure(machine.sources).cpu == 50.0);
}

TEST_CASE("this machine tells something") {
  const PressureReading reading = read_pressure();
  REQUIRE(reading.cpu);
  REQUIRE(reading.memory);
  CHECK((*reading.cpu >= 0 && *reading.cpu <= 100));
  CHECK((*reading.memory >= 0 && *reading.memory <= 100));
}

TEST_CASE("low waits from the threshold on, normal from half way to 100") {
  const PressureThresholds thresholds{80, 20};
  CHECK(degree({79.9, 19.9}, thresholds) == 0);
  CHECK(degree({80.0, 0.0}, thresholds) == 1);
  CHECK(degree({89.9, 0.0}, thresholds) == 1);
  CHECK(degree({90.0, 0.0}, thresholds) == 2);
  CHECK(degree({0.0, 20.0}, thresholds) == 1);
  CHECK(degree({0.0, 60.0}, thresholds) == 2);
  CHECK(degree({80.0, 60.0}, thresholds) == 2);
  CHECK(degree({std::nullopt, std::nullopt}, thresholds) == 0);
  CHECK(degree({100.0, 100.0}, {100, 100}) == 2);
  CHECK(degree({99.0, 99.0}, {100, 100}) == 0);
}

TEST_CASE("a threshold of 0 turns it off") {
  CHECK(degree({100.0, 100.0}, {0, 0}) == 0);
  CHECK(degree({100.0, 100.0}, {0, 100}) == 2);
  CHECK(degree({100.0, 10.0}, {0, 20}) == 0);
  PressureGauge off({0, 0});
  CHECK(off.update({100.0, 100.0}) == 0);
  CHECK(off.describe().empty());
}

TEST_CASE("a degree ends only below 80 % of where it began") {
  PressureGauge gauge({80, 0});
  CHECK(gauge.degree() == 0);
  CHECK(gauge.update(cpu(79.9)) == 0);  // nothing was held, so nothing is held on to
  CHECK(gauge.update(cpu(80)) == 1);
  CHECK(gauge.update(cpu(64)) == 1);
  CHECK(gauge.update(cpu(63.9)) == 0);
  CHECK(gauge.update(cpu(70)) == 0);
  CHECK(gauge.update(cpu(90)) == 2);
  CHECK(gauge.update(cpu(72)) == 2);
  CHECK(gauge.update(cpu(71.9)) == 1);
  CHECK(gauge.update(cpu(85)) == 1);
  CHECK(gauge.update(cpu(95)) == 2);
  CHECK(gauge.update(cpu(10)) == 0);
  CHECK(gauge.update(cpu(95)) == 2);
  CHECK(gauge.update({std::nullopt, std::nullopt}) == 0);
}

TEST_CASE("resources are held apart") {
  PressureGauge gauge({80, 20});
  CHECK(gauge.update({80.0, 60.0}) == 2);
  CHECK(gauge.update({80.0, 10.0}) == 1);
  CHECK(gauge.update({10.0, 19.9}) == 0);
}

TEST_CASE("the words name resource, figure and limit") {
  PressureGauge gauge({80, 20});
  gauge.update({10.0, 0.0});
  CHECK(gauge.describe().empty());
  gauge.update({87.25, 0.0});
  CHECK(gauge.describe() == "cpu pressure 87 % (limit 80 %)");
  gauge.update({79.6, 0.0});
  CHECK(gauge.describe() == "cpu pressure 79 % (limit 80 %, until below 64 %)");
  gauge.update({95.0, 33.3});
  CHECK(gauge.describe() == "cpu pressure 95 % (limit 80 %), memory pressure 33 % (limit 20 %)");
  gauge.update({75.0, 0.0});
  CHECK(gauge.describe() == "cpu pressure 75 % (limit 80 %, until below 72 %)");
}
