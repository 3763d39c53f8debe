// SPDX-License-Identifier: Apache-2.0
#include "egress/reporter.hpp"

#include "base/json.hpp"

namespace fabric::egress {
namespace {

constexpr size_t k_kept = 4096;
constexpr size_t k_refusals_a_second = 64;  // different ones, of one sandbox
constexpr size_t k_hosts = 1024;            // of one sandbox; the rest is counted together

std::string key_of(const Refusal& r) {
  return std::string(r.kind) + '\n' + r.host + '\n' + r.address + '\n' + std::to_string(r.port) +
         '\n' + r.why;
}

}  // namespace

void Reporter::refused(const std::string& sandbox, const Refusal& refusal) {
  std::map<std::string, Counted>& counted = counted_[sandbox];
  const std::string key = key_of(refusal);
  if (const auto found = counted.find(key); found != counted.end()) {
    ++found->second.more;
    found->second.last_at = clock_.now();
    return;
  }
  if (counted.size() >= k_refusals_a_second) {
    Counted& rest = counted["\n"];
    if (rest.more == 0) rest.refusal = {"rate", "", "", 0, "", "", "more refusals in one second"};
    ++rest.more;
    rest.last_at = clock_.now();
    return;
  }
  counted[key].refusal = refusal;
  add_refusal(sandbox, refusal, 1, clock_.now());
}

void Reporter::add_refusal(const std::string& sandbox, const Refusal& refusal, uint64_t count,
                           WallTime at) {
  json::Writer w;
  const uint64_t sequence = next_++;
  w.begin_object()
      .field("type", "refused")
      .field("sequence", sequence)
      .field("sandbox", sandbox)
      .field("at", at.us)
      .field("kind", refusal.kind)
      .field("host", refusal.host)
      .field("address", refusal.address)
      .field("port", refusal.port)
      .field("rule", refusal.rule)
      .field("allow", refusal.allow)
      .field("why", refusal.why)
      .field("count", count)
      .end_object();
  add(sequence, w.take());
}

void Reporter::reached(const std::string& sandbox, const std::string& host, uint16_t port,
                       bool is_private) {
  json::Writer w;
  const uint64_t sequence = next_++;
  w.begin_object()
      .field("type", "reached")
      .field("sequence", sequence)
      .field("sandbox", sandbox)
      .field("host", host)
      .field("port", port)
      .field("private", is_private)
      .end_object();
  add(sequence, w.take());
}

std::shared_ptr<HostMeter> Reporter::meter(const std::string& sandbox, const std::string& host) {
  auto& meters = meters_[sandbox];
  const auto found = meters.find(host);
  if (found != meters.end()) return found->second;
  const std::string name = meters.size() < k_hosts ? host : "others";
  std::shared_ptr<HostMeter>& meter = meters[name];
  if (!meter) meter = std::make_shared<HostMeter>();
  return meter;
}

void Reporter::add_usage(const std::string& sandbox, const std::string& host, HostMeter& meter) {
  json::Writer w;
  const uint64_t sequence = next_++;
  w.begin_object()
      .field("type", "usage")
      .field("sequence", sequence)
      .field("sandbox", sandbox)
      .field("host", host)
      .field("in", meter.in)
      .field("out", meter.out)
      .field("connections", meter.connections)
      .end_object();
  meter = {};
  add(sequence, w.take());
}

void Reporter::tick() {
  for (auto& [sandbox, counted] : counted_)
    for (auto& [key, entry] : counted)
      if (entry.more > 0) add_refusal(sandbox, entry.refusal, entry.more, entry.last_at);
  counted_.clear();
  if (!send_) return;  // usage goes on being added up
  for (auto& [sandbox, meters] : meters_)
    for (auto& [host, meter] : meters)
      if (meter->in + meter->out + meter->connections > 0) add_usage(sandbox, host, *meter);
  flush();
}

void Reporter::forget(const std::string& sandbox) {
  if (const auto found = meters_.find(sandbox); found != meters_.end())
    for (auto& [host, meter] : found->second)
      if (meter->in + meter->out + meter->connections > 0) add_usage(sandbox, host, *meter);
  meters_.erase(sandbox);
}

void Reporter::add(uint64_t sequence, std::string packet) {
  if (kept_.size() == k_kept) {
    kept_.pop_front();
    if (sent_ > 0) --sent_;
  }
  kept_.push_back({sequence, std::move(packet)});
  flush();
}

void Reporter::connect(Send send) {
  send_ = std::move(send);
  sent_ = 0;
  flush();
}

void Reporter::flush() {
  while (send_ && sent_ < kept_.size() && send_(kept_[sent_].packet)) ++sent_;
}

void Reporter::acknowledge(uint64_t sequence) {
  while (!kept_.empty() && sent_ > 0 && kept_.front().sequence <= sequence) {
    kept_.pop_front();
    --sent_;
  }
}

}  // namespace fabric::egress
