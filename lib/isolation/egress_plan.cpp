// SPDX-License-Identifier: Apache-2.0
#include "isolation/egress_plan.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "model/egress_wire.hpp"
#include "model/sandbox_rules.hpp"

namespace fabric {
namespace {

constexpr std::array<uint8_t, 12> k_mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr unsigned k_mapped_prefix = 96;

bool is_v4(const EgressRule& rule) {
  return rule.prefix >= k_mapped_prefix &&
         std::equal(k_mapped.begin(), k_mapped.end(), rule.network.begin());
}

// 127.0.0.0/8, 0.0.0.0/8, multicast and what is above it; ::, ::1, ff00::/8.
bool never_outside(const EgressRule& rule) {
  if (is_v4(rule))
    return rule.prefix >= k_mapped_prefix + 8 &&
           (rule.network[12] == 127 || rule.network[12] == 0 || rule.network[12] >= 224);
  const bool low = std::all_of(rule.network.begin(), rule.network.end() - 1,
                               [](uint8_t byte) { return byte == 0; });
  return (rule.prefix == 128 && low && rule.network[15] <= 1) || rule.network[0] == 0xff;
}

std::string network_of(const EgressRule& rule) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool four = is_v4(rule);
  ::inet_ntop(four ? AF_INET : AF_INET6, rule.network.data() + (four ? k_mapped.size() : 0),
              text.data(), text.size());
  const unsigned prefix = four ? rule.prefix - k_mapped_prefix : rule.prefix;
  return std::string(text.data()) + "/" + std::to_string(prefix);
}

}  // namespace

bool wants_egress(const SandboxOptions& options) {
  return options.learn || !options.egress.empty() || !options.publish.empty() ||
         !options.inject.empty();
}

std::vector<std::string> egress_in_force(const SandboxOptions& options) {
  std::vector<std::string> rules = options.egress;
  if (options.learn) rules.emplace_back("*:*");
  return rules;
}

std::string egress_networks(const SandboxOptions& options) {
  std::string list;
  auto add = [&list](const std::string& network) {
    if (!list.empty()) list += ' ';
    list += network;
  };
  for (const std::string& text : egress_in_force(options)) {
    Result<EgressRule> rule = parse_egress_rule(text);
    if (!rule || rule->refuse) continue;
    if (rule->kind == EgressRule::Kind::everything) {
      add("0.0.0.0/0");
      add("::/0");
    } else if (rule->kind == EgressRule::Kind::network && !never_outside(*rule)) {
      add(network_of(*rule));
    }
  }
  return list;
}

void add_resolver(MountPlan& plan, const std::string& host_name) {
  for (MountStep& step : plan)
    if (step.kind == wire::k_text_file && step.target == "etc/hosts")
      step.source += "127.0.0.1 " + host_name + "\n";
  plan.push_back({wire::k_text_file, "nameserver 127.0.0.53\noptions timeout:2 attempts:2\n",
                  "etc/resolv.conf"});
}

}  // namespace fabric
