// SPDX-License-Identifier: Apache-2.0
#include "model/sandbox_rules.hpp"
#include "supervisor/violations.hpp"

namespace fabric {
namespace {

ViolationKind kind_of(const EgressRefused& refused) {
  if (refused.kind == "name") return ViolationKind::name;
  if (refused.kind == "publish") return ViolationKind::publish;
  return ViolationKind::connect;
}

std::string place_of(const EgressRefused& refused) {
  std::string place = refused.host.empty() ? refused.address : refused.host;
  if (place.empty()) return "connection";
  const bool six = refused.host.empty() && place.find(':') != std::string::npos;
  if (six) place = "[" + place + "]";
  return refused.port == 0 ? place : place + ":" + std::to_string(refused.port);
}

// Whether the rule, or that there is none, says all that there is to say.
bool rules_decided(const EgressRefused& refused) {
  if (refused.kind == "rate") return true;
  if (refused.kind != "name" && refused.kind != "connect") return refused.why.empty();
  return !refused.allow.empty() || refused.rule.empty() || refused.rule.starts_with('!');
}

}  // namespace

Violation egress_violation(const EgressRefused& refused) {
  Violation v;
  v.at = refused.at;
  v.count = static_cast<uint64_t>(refused.count);
  v.kind = kind_of(refused);
  v.what = place_of(refused);
  if (!rules_decided(refused)) v.what += " (" + refused.why + ")";
  v.rule = refused.rule;
  if (v.rule.empty()) v.rule = refused.kind == "rate" ? refused.why : "not listed";
  // People paste this line: it has to be a rule, whoever took over the egress process.
  if (!refused.allow.empty() && parse_egress_rule(refused.allow))
    v.allow = "isolation.egress = [\"" + refused.allow + "\"]";
  v.source = ViolationSource::egress;
  return v;
}

}  // namespace fabric
