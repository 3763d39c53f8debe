// SPDX-License-Identifier: Apache-2.0
// The egress rules of one sandbox: what a name, a port and an address are allowed. A rule with "!"
// wins over all others; nothing is allowed that no rule names.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "egress/address.hpp"
#include "model/sandbox_rules.hpp"

namespace fabric::egress {

struct Decision {
  bool allowed = false;
  bool private_too = false;
  bool exact = false;  // allowed by a rule with exactly this name
  std::string rule;    // text of the rule that decided; "" where none matched
  std::string allow;   // refused: the rule that would allow it; "" where none can
};

class RuleSet {
 public:
  static Result<RuleSet> parse(const std::vector<std::string>& texts);

  // A name that passed normal_host_name().
  [[nodiscard]] Decision name(std::string_view name, uint16_t port) const;
  // Whether some port of the name is allowed: what the resolver inside asks.
  [[nodiscard]] Decision any_port_of(std::string_view name) const;
  // An address that the program itself gave.
  [[nodiscard]] Decision literal(const Address& address, uint16_t port,
                                 std::span<const Address> own = {}) const;
  // An address that an allowed name resolved to.
  [[nodiscard]] Decision resolved(std::string_view name, const Decision& by_name,
                                  const Address& address, uint16_t port,
                                  AddressClass address_class) const;

  // Ports on which connections to the name are waited for; of a rule for all ports the usual ones.
  [[nodiscard]] std::vector<uint16_t> ports_of(std::string_view name) const;
  // Rules that name addresses and allow them.
  [[nodiscard]] std::vector<const EgressRule*> networks() const;
  // The longest name that a rule with "*." for this one ends in ("example.com"), or "".
  [[nodiscard]] std::string_view wildcard_base(std::string_view name) const;
  [[nodiscard]] bool empty() const { return rules_.empty(); }

 private:
  std::vector<EgressRule> rules_;
};

// Ports that a rule with ":*" is served on without a proxy.
const std::vector<uint16_t>& usual_ports();

}  // namespace fabric::egress
