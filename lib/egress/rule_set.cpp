// SPDX-License-Identifier: Apache-2.0
#include "egress/rule_set.hpp"

#include <algorithm>

namespace fabric::egress {
namespace {

bool port_fits(const EgressRule& rule, uint16_t port) {
  return rule.any_port || std::find(rule.ports.begin(), rule.ports.end(), port) != rule.ports.end();
}

bool name_fits(const EgressRule& rule, std::string_view name) {
  switch (rule.kind) {
    case EgressRule::Kind::name:
      return name == rule.name;
    case EgressRule::Kind::subdomains:
      return name.size() > rule.name.size() + 1 && name.ends_with(rule.name) &&
             name[name.size() - rule.name.size() - 1] == '.';
    case EgressRule::Kind::network:
      return false;
    case EgressRule::Kind::everything:
      return true;
  }
  return false;
}

bool address_fits(const EgressRule& rule, const Address& address) {
  return rule.kind == EgressRule::Kind::network && in_network(address, rule.network, rule.prefix);
}

std::string with_port(std::string text, uint16_t port) {
  const bool usual = port == 80 || port == 443;
  if (text.find(':') != std::string::npos && !usual) text = "[" + text + "]";
  return usual ? text : text + ":" + std::to_string(port);
}

// Merges one rule that fits into what is decided so far. True: "!", nothing else counts.
bool merge(Decision& decision, const EgressRule& rule) {
  if (rule.refuse) {
    decision = {false, false, false, rule.text, ""};
    return true;
  }
  if (!decision.allowed) decision.rule = rule.text;
  decision.allowed = true;
  decision.private_too |= rule.private_too;
  decision.exact |= rule.kind == EgressRule::Kind::name;
  return false;
}

template <class Fits>
Decision decide(const std::vector<EgressRule>& rules, Fits fits) {
  Decision decision;
  for (const EgressRule& rule : rules)
    if (fits(rule) && merge(decision, rule)) break;
  return decision;
}

}  // namespace

const std::vector<uint16_t>& usual_ports() {
  static const std::vector<uint16_t> ports{22,   80,   443,  465,  587,  993,   1433, 3000, 3306,
                                           5000, 5432, 5671, 5672, 6379, 8000,  8080, 8443, 8888,
                                           9000, 9092, 9200, 9418, 9443, 11211, 27017};
  return ports;
}

Result<RuleSet> RuleSet::parse(const std::vector<std::string>& texts) {
  RuleSet set;
  for (const std::string& text : texts) set.rules_.push_back(TRY(parse_egress_rule(text)));
  return set;
}

Decision RuleSet::name(std::string_view name, uint16_t port) const {
  Decision decision = decide(rules_, [&](const EgressRule& rule) {
    return name_fits(rule, name) && port_fits(rule, port);
  });
  if (!decision.allowed && decision.rule.empty())
    decision.allow = with_port(std::string(name), port);
  return decision;
}

Decision RuleSet::any_port_of(std::string_view name) const {
  Decision decision;
  for (const EgressRule& rule : rules_) {
    if (!name_fits(rule, name)) continue;
    // "!x:22" refuses a port; only "!x:*" refuses the name.
    if (rule.refuse && !rule.any_port) continue;
    if (merge(decision, rule)) break;
  }
  if (!decision.allowed && decision.rule.empty()) decision.allow = std::string(name);
  return decision;
}

Decision RuleSet::literal(const Address& address, uint16_t port,
                          std::span<const Address> own) const {
  const AddressClass kind = classify(address, own);
  Decision decision = decide(rules_, [&](const EgressRule& rule) {
    return port_fits(rule, port) &&
           (address_fits(rule, address) || rule.kind == EgressRule::Kind::everything);
  });
  if (decision.allowed && kind != AddressClass::is_public) {
    // "*" allows what is public, "*+private" what is private; nothing but its own rule the rest.
    const bool near = kind == AddressClass::is_private || kind == AddressClass::loopback ||
                      kind == AddressClass::own;
    decision = decide(rules_, [&](const EgressRule& rule) {
      return port_fits(rule, port) &&
             (address_fits(rule, address) || (rule.kind == EgressRule::Kind::everything &&
                                              (rule.refuse || (rule.private_too && near))));
    });
  }
  if (kind == AddressClass::reserved)
    decision = {false, false, false, "", ""};
  else if (!decision.allowed && decision.rule.empty())
    decision.allow = with_port(address.text(), port);
  return decision;
}

Decision RuleSet::resolved(std::string_view name, const Decision& by_name, const Address& address,
                           uint16_t port, AddressClass address_class) const {
  const Decision by_network = decide(rules_, [&](const EgressRule& rule) {
    return port_fits(rule, port) && address_fits(rule, address);
  });
  Decision decision = by_name;
  if (!by_network.rule.empty() && !by_network.allowed) return by_network;
  switch (address_class) {
    case AddressClass::is_public:
      return decision;
    case AddressClass::reserved:
      decision.allowed = false;
      return decision;
    case AddressClass::is_private:
    case AddressClass::loopback:
    case AddressClass::own:
      decision.allowed = by_name.private_too || by_network.allowed;
      if (!decision.allowed) decision.allow = with_port(std::string(name), port) + "+private";
      return decision;
    case AddressClass::link_local:
    case AddressClass::metadata:
      decision.allowed = by_network.allowed;
      if (!decision.allowed) decision.allow = with_port(address.text(), port);
      return decision;
  }
  return decision;
}

std::vector<uint16_t> RuleSet::ports_of(std::string_view name) const {
  std::vector<uint16_t> ports;
  for (const EgressRule& rule : rules_) {
    if (rule.refuse || !name_fits(rule, name)) continue;
    const std::vector<uint16_t>& more = rule.any_port ? usual_ports() : rule.ports;
    ports.insert(ports.end(), more.begin(), more.end());
  }
  std::sort(ports.begin(), ports.end());
  ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
  std::erase_if(ports, [&](uint16_t port) { return !this->name(name, port).allowed; });
  return ports;
}

std::vector<const EgressRule*> RuleSet::networks() const {
  std::vector<const EgressRule*> out;
  for (const EgressRule& rule : rules_)
    if (rule.kind == EgressRule::Kind::network && !rule.refuse) out.push_back(&rule);
  return out;
}

std::string_view RuleSet::wildcard_base(std::string_view name) const {
  std::string_view best;
  for (const EgressRule& rule : rules_)
    if (!rule.refuse && rule.kind == EgressRule::Kind::subdomains && name_fits(rule, name) &&
        rule.name.size() > best.size())
      best = rule.name;
  return best;
}

}  // namespace fabric::egress
