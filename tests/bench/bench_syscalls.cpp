// SPDX-License-Identifier: Apache-2.0
// What system calls take inside of a sandbox, beside outside: with the filter alone (sandbox run)
// and with the listener that is told of refusals (an agent).
#include <algorithm>
#include <map>

#include "bench_support.hpp"
#include "bench_workspace.hpp"

namespace fabric::bench {
namespace {

using Costs = std::map<std::string, std::vector<double>>;

void add_lines(const std::string& text, Costs& costs) {
  for (size_t at = 0; at < text.size();) {
    const size_t space = text.find(' ', at), end = text.find('\n', at);
    if (end == std::string::npos || space > end) throw Failure("call_costs said: " + text);
    costs[text.substr(at, space - at)].push_back(
        std::stod(text.substr(space + 1, end - space - 1)));
    at = end + 1;
  }
}

double least(const Costs& costs, const std::string& name) {
  const auto at = costs.find(name);
  if (at == costs.end()) throw Failure("no figure for " + name);
  return *std::min_element(at->second.begin(), at->second.end());
}

void body(const Options& options, Report& report) {
  const int rounds = options.numbers.empty() ? 5 : static_cast<int>(options.numbers[0]);
  const std::string fabric = fabric_binary();
  Workspace workspace(options.scratch, "syscalls");
  workspace.give("a", "call_costs");
  output_of({fabric, "spawn", "a", "--", "./call_costs"});
  const std::string work = options.scratch + "/work";
  output_of({"mkdir", work});
  output_of({"cp", program("call_costs"), work});
  Costs outside, filtered, listened;
  for (int i = 0; i < rounds; ++i) {
    add_lines(output_of({program("call_costs")}), outside);
    add_lines(output_of({fabric, "sandbox", "run", "--work", work, "--", "./call_costs"}),
              filtered);
    add_lines(output_of({fabric, "run", "a"}), listened);
  }
  for (const auto& [name, figures] : outside) {
    const Row& plain = report.figure(name + ", outside", "ns", least(outside, name));
    report.figure(name + ", in sandbox run", "ns", least(filtered, name)).beside(plain);
    report.figure(name + ", as an agent's task", "ns", least(listened, name)).beside(plain);
  }
}

}  // namespace
}  // namespace fabric::bench

int main(int argc, char** argv) {
  return fabric::bench::bench_main(argc, argv, "syscalls", 180, fabric::bench::body);
}
