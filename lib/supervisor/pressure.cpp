// SPDX-License-Identifier: Apache-2.0
#include "supervisor/pressure.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/fd.hpp"

namespace fabric {
namespace {

constexpr uint32_t k_degrees = 2;
constexpr double k_memory_reserve = 0.1;

// The number at the front of `text`.
std::optional<double> number_in(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  // Not "inf" or "nan", which are numbers to from_chars.
  if (error != std::errc{} || !(value >= 0 && value < 1e18)) return std::nullopt;
  return value;
}

// What follows `name` in the line that begins with it.
std::optional<double> field(std::string_view text, std::string_view name) {
  size_t at = text.starts_with(name) ? 0 : text.find("\n" + std::string(name));
  if (at == std::string_view::npos) return std::nullopt;
  at += (at == 0 ? 0 : 1) + name.size();
  return number_in(text.substr(at));
}

double per_cent(double part) { return std::clamp(100 * part, 0.0, 100.0); }

// Where a degree begins.
double begin_of(uint32_t degree, uint32_t threshold) {
  return degree < k_degrees ? threshold : (threshold + 100.0) / 2;
}

// Below this it ends.
double end_of(uint32_t degree, uint32_t threshold) { return begin_of(degree, threshold) * 4 / 5; }

uint32_t degree_of(std::optional<double> value, uint32_t threshold) {
  if (!value || threshold == 0 || *value < threshold) return 0;
  return *value < begin_of(k_degrees, threshold) ? 1 : k_degrees;
}

}  // namespace

std::optional<double> parse_stall(std::string_view text) {
  constexpr std::string_view k_some = "some avg10=";
  if (!text.starts_with(k_some)) return std::nullopt;
  const std::optional<double> value = number_in(text.substr(k_some.size()));
  if (!value || *value > 100) return std::nullopt;
  return value;
}

std::optional<double> parse_load(std::string_view text, uint32_t processors) {
  const std::optional<double> load = number_in(text);
  if (!load || processors == 0) return std::nullopt;
  return per_cent(*load / processors - 1);
}

std::optional<double> parse_available(std::string_view text) {
  const std::optional<double> total = field(text, "MemTotal:");
  const std::optional<double> available = field(text, "MemAvailable:");
  if (!total || !available || *total == 0) return std::nullopt;
  return per_cent(1 - *available / *total / k_memory_reserve);
}

PressureReading read_pressure(const PressureSources& sources) {
  PressureReading reading;
  if (auto text = read_file(sources.cpu)) reading.cpu = parse_stall(*text);
  if (auto text = read_file(sources.memory)) reading.memory = parse_stall(*text);
  if (!reading.cpu) {
    const long online = sources.processors != 0 ? 0 : ::sysconf(_SC_NPROCESSORS_ONLN);
    const uint32_t processors =
        sources.processors != 0 ? sources.processors : static_cast<uint32_t>(std::max(online, 1L));
    if (auto text = read_file(sources.load)) reading.cpu = parse_load(*text, processors);
  }
  if (!reading.memory) {
    if (auto text = read_file(sources.meminfo)) reading.memory = parse_available(*text);
  }
  return reading;
}

uint32_t degree(const PressureReading& reading, const PressureThresholds& thresholds) {
  return std::max(degree_of(reading.cpu, thresholds.cpu),
                  degree_of(reading.memory, thresholds.memory));
}

PressureGauge::PressureGauge(const PressureThresholds& thresholds) {
  cpu_.threshold = thresholds.cpu;
  memory_.threshold = thresholds.memory;
}

void PressureGauge::update(Resource& resource, std::optional<double> value) {
  uint32_t next = degree_of(value, resource.threshold);
  if (value) {
    for (uint32_t held = resource.degree; held > next; --held)
      if (*value >= end_of(held, resource.threshold)) next = held;
  }
  resource.degree = next;
  resource.value = value.value_or(0);
}

uint32_t PressureGauge::update(const PressureReading& reading) {
  update(cpu_, reading.cpu);
  update(memory_, reading.memory);
  return degree();
}

uint32_t PressureGauge::degree() const { return std::max(cpu_.degree, memory_.degree); }

void PressureGauge::describe(const Resource& resource, const char* name, std::string& out) {
  if (resource.degree == 0) return;
  // Cut, not rounded: 79.6 % is not the limit of 80 %.
  const auto whole = [](double value) { return std::to_string(static_cast<int>(value)) + " %"; };
  if (!out.empty()) out += ", ";
  out += std::string(name) + " pressure " + whole(resource.value) + " (limit " +
         whole(resource.threshold);
  if (resource.value < resource.threshold)
    out += ", until below " + whole(end_of(resource.degree, resource.threshold));
  out += ")";
}

std::string PressureGauge::describe() const {
  std::string out;
  describe(cpu_, "cpu", out);
  describe(memory_, "memory", out);
  return out;
}

}  // namespace fabric
