// SPDX-License-Identifier: Apache-2.0
#include "fabric/task_filter.hpp"

#include <algorithm>
#include <array>

namespace fabric::cmd {

Result<store::TaskFilter> task_filter(const Arguments& arguments) {
  store::TaskFilter filter;
  filter.state = TRY(parsed(arguments, "--state", parse_task_state));
  filter.agent = arguments.value("--agent").value_or("");
  filter.type = arguments.value("--type").value_or("");
  filter.group = arguments.value("--group").value_or("");
  filter.metadata = TRY(parsed_pairs(arguments, "--metadata"));
  filter.limit = 0;
  // An empty value would mean "any".
  for (const char* option : {"--agent", "--type", "--group"})
    if (arguments.has(option) && arguments.value(option)->empty())
      return fail(ErrorCode::usage, std::string(option) + " is empty");
  return filter;
}

bool has_task_filter(const Arguments& arguments) {
  constexpr std::array<std::string_view, 5> k_options{"--state", "--agent", "--type", "--group",
                                                      "--metadata"};
  return std::any_of(k_options.begin(), k_options.end(),
                     [&](std::string_view option) { return arguments.has(option); });
}

}  // namespace fabric::cmd
