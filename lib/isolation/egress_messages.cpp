// SPDX-License-Identifier: Apache-2.0
#include "isolation/egress_messages.hpp"

#include <algorithm>

#include "base/json.hpp"

namespace fabric {
namespace {

constexpr size_t k_max_text = 512;  // of what the egress process says: names are at most 253

std::string text_of(const json::Value& object, std::string_view key) {
  return std::string(json::get_string(object, key).value_or("").substr(0, k_max_text));
}

uint64_t count_of(const json::Value& object, std::string_view key) {
  return static_cast<uint64_t>(std::max<int64_t>(json::get_int(object, key).value_or(0), 0));
}

void write_list(json::Writer& w, std::string_view key, const std::vector<std::string>& list) {
  w.key(key).begin_array();
  for (const std::string& item : list) w.string(item);
  w.end_array();
}

void write_sent(json::Writer& w, std::string_view key, const std::vector<std::string>& rules,
                const std::vector<int>& indices) {
  w.key(key).begin_array();
  for (size_t i = 0; i < rules.size() && i < indices.size(); ++i)
    if (indices[i] >= 0)
      w.begin_object().field("rule", rules[i]).field("fd", indices[i]).end_object();
  w.end_array();
}

EgressMessage hello_of(const json::Value& object) {
  EgressHello hello;
  hello.version = json::get_int(object, "version").value_or(0);
  hello.pid = json::get_int(object, "pid").value_or(0);
  const json::Value* sandboxes = json::find(object, "sandboxes");
  if (sandboxes != nullptr && sandboxes->IsArray())
    for (const json::Value& sandbox : sandboxes->GetArray())
      hello.sandboxes.push_back(text_of(sandbox, "sandbox"));
  return hello;
}

EgressMessage refused_of(const json::Value& object) {
  EgressRefused refused;
  refused.sequence = count_of(object, "sequence");
  refused.sandbox = text_of(object, "sandbox");
  refused.at = WallTime{json::get_int(object, "at").value_or(0)};
  refused.kind = text_of(object, "kind");
  refused.host = text_of(object, "host");
  refused.address = text_of(object, "address");
  refused.port = json::get_int(object, "port").value_or(0);
  refused.rule = text_of(object, "rule");
  refused.allow = text_of(object, "allow");
  refused.why = text_of(object, "why");
  refused.count = std::max<int64_t>(json::get_int(object, "count").value_or(1), 1);
  return refused;
}

EgressMessage usage_of(const json::Value& object) {
  EgressUsage usage;
  usage.sequence = count_of(object, "sequence");
  usage.sandbox = text_of(object, "sandbox");
  usage.host = text_of(object, "host");
  usage.in_bytes = count_of(object, "in");
  usage.out_bytes = count_of(object, "out");
  usage.connections = count_of(object, "connections");
  return usage;
}

json::Writer begin(const char* type) {
  json::Writer w;
  w.begin_object().field("type", type);
  return w;
}

}  // namespace

std::string encode_attach(const EgressAttachment& attachment, const EgressDescriptors& sent) {
  json::Writer w = begin("attach");
  w.field("sandbox", attachment.sandbox).field("generation", attachment.generation);
  w.field("agent", attachment.agent).field("learn", attachment.learn);
  if (attachment.rate != 0) w.field("rate", attachment.rate);
  write_list(w, "rules", attachment.rules);
  write_sent(w, "publish", attachment.publish, sent.publish);
  write_sent(w, "inject", attachment.inject, sent.inject);
  return w.end_object().take();
}

std::string encode_rules(const std::string& sandbox, const std::vector<std::string>& rules) {
  json::Writer w = begin("rules");
  w.field("sandbox", sandbox);
  write_list(w, "rules", rules);
  return w.end_object().take();
}

std::string encode_detach(const std::string& sandbox) {
  return begin("detach").field("sandbox", sandbox).end_object().take();
}

std::string encode_ack(uint64_t sequence) {
  return begin("ack").field("sequence", sequence).end_object().take();
}

std::string encode_shutdown() { return begin("shutdown").end_object().take(); }

Result<EgressMessage> decode_egress_message(std::string_view packet) {
  const json::Document object = TRY(json::parse(packet));
  const std::string_view type = json::get_string(object, "type").value_or("");
  if (type == "hello") return hello_of(object);
  if (type == "attached") return EgressAttached{text_of(object, "sandbox"), ""};
  if (type == "failed") {
    const std::string message = text_of(object, "message");
    return EgressAttached{text_of(object, "sandbox"), message.empty() ? "unknown cause" : message};
  }
  if (type == "refused") return refused_of(object);
  if (type == "usage") return usage_of(object);
  if (type == "reached")
    return EgressReached{count_of(object, "sequence"), text_of(object, "sandbox"),
                         text_of(object, "host"), json::get_int(object, "port").value_or(0),
                         json::get_bool(object, "private").value_or(true)};
  return EgressMessage{};
}

std::string describe_cause(const EgressRefused& refused) {
  std::string what = refused.kind + " " + refused.host;
  if (refused.host.empty()) what += refused.address;
  if (refused.port != 0) what += ":" + std::to_string(refused.port);
  if (!refused.host.empty() && !refused.address.empty()) what += " (" + refused.address + ")";
  if (!refused.why.empty()) what += ": " + refused.why;
  if (!refused.rule.empty()) what += ", by the rule \"" + refused.rule + "\"";
  return what;
}

std::string describe(const EgressRefused& refused) {
  std::string what = describe_cause(refused);
  if (!refused.allow.empty())
    what += "; allowed by: isolation.egress = [\"" + refused.allow + "\"]";
  return what;
}

}  // namespace fabric
