// SPDX-License-Identifier: Apache-2.0
// How short the machine is of processor and memory, in per cent, and what therefore waits. Nothing
// here has a timer or a thread: the supervisor reads when it wants to know.
//
// Where the kernel has pressure stall information, a figure is `some avg10`: the part of the last
// ten seconds in which at least one task waited for the resource. Elsewhere:
//   cpu     what the load average of one minute is above one per processor: 1.0 is 0 %, 1.8 is 80 %
//   memory  how much of the last tenth of memory is gone: 10 % of MemTotal available is 0 %, 2 % of
//           it is 80 %
// Both end at 100 %, and 0 % means that nobody waits, so the same thresholds make sense for both.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fabric {

struct PressureReading {
  std::optional<double> cpu, memory;  // 0 to 100; nullopt: this machine does not tell
};

// In per cent; 0: never waits for this resource.
struct PressureThresholds {
  uint32_t cpu = 0, memory = 0;
};

// Pure: the texts of /proc files. nullopt when a text is not what it should be.
std::optional<double> parse_stall(std::string_view text);                      // /proc/pressure/*
std::optional<double> parse_load(std::string_view text, uint32_t processors);  // /proc/loadavg
std::optional<double> parse_available(std::string_view text);                  // /proc/meminfo

struct PressureSources {
  std::string cpu = "/proc/pressure/cpu";
  std::string memory = "/proc/pressure/memory";
  std::string load = "/proc/loadavg";  // in place of `cpu` where that cannot be read
  std::string meminfo = "/proc/meminfo";
  uint32_t processors = 0;  // for `load`; 0: those that are online
};
PressureReading read_pressure(const PressureSources& sources = {});

// 0: none. 1: tasks of priority low wait, from the threshold on. 2: those of priority normal too,
// from half way between threshold and 100 % on. The worse of the two resources counts.
uint32_t degree(const PressureReading& reading, const PressureThresholds& thresholds);

// The same with a memory, so that it does not flutter: a degree ends only when the figure is below
// 80 % of where it began. A resource of which nothing is known any more holds nobody up.
class PressureGauge {
 public:
  explicit PressureGauge(const PressureThresholds& thresholds);
  uint32_t update(const PressureReading& reading);
  [[nodiscard]] uint32_t degree() const;
  // "cpu pressure 87 % (limit 80 %)"; "cpu pressure 70 % (limit 80 %, until below 64 %)" while it
  // is only the memory that holds it; both resources with a comma. "" at degree 0.
  [[nodiscard]] std::string describe() const;

 private:
  struct Resource {
    uint32_t threshold = 0;
    double value = 0;
    uint32_t degree = 0;
  };
  static void update(Resource& resource, std::optional<double> value);
  static void describe(const Resource& resource, const char* name, std::string& out);
  Resource cpu_, memory_;
};

}  // namespace fabric
