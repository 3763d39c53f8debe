// SPDX-License-Identifier: Apache-2.0
#include "egress/sandbox.hpp"

#include <sys/socket.h>

#include <algorithm>

#include "egress/flow.hpp"
#include "egress/inject.hpp"

namespace fabric::egress {
namespace {

constexpr std::string_view k_inject_suffix = ".inject";
// Below a wildcard a program chooses the labels: what it could say in them is bounded, though
// nothing is asked outside before a connection.
constexpr size_t k_wild_bytes = 63;
constexpr int k_wild_labels = 8;
constexpr size_t k_most_reached = 4096;
constexpr int64_t k_second = 1000000000;

uint64_t next_number() {
  static uint64_t last = 0;
  return ++last;
}

bool tunnels(std::string_view name, std::string_view base) {
  if (base.empty()) return false;
  const std::string_view own = name.substr(0, name.size() - base.size() - 1);
  return own.size() > k_wild_bytes || std::count(own.begin(), own.end(), '.') + 1 > k_wild_labels;
}

}  // namespace

Result<std::shared_ptr<Sandbox>> Sandbox::attach(Engine& engine, Attachment attachment,
                                                 std::function<void(const std::string&)> over) {
  RuleSet rules = TRY(RuleSet::parse(attachment.rules));
  auto sandbox =
      std::make_shared<Sandbox>(engine, std::move(attachment), std::move(rules), std::move(over));
  TRY_STATUS(sandbox->start());
  return sandbox;
}

Sandbox::Sandbox(Engine& engine, Attachment attachment, RuleSet rules,
                 std::function<void(const std::string&)> over)
    : engine_(engine),
      attachment_(std::move(attachment)),
      rules_(std::move(rules)),
      over_(std::move(over)),
      number_(next_number()),
      refilled_(engine.loop.now()) {
  tokens_ = static_cast<int64_t>(attachment_.rate);
  Listeners::Handlers handlers;
  handlers.accepted = [this](Listeners::Role role, const std::string& host, uint16_t port,
                             Fd connection) { accepted(role, host, port, std::move(connection)); };
  handlers.known = [this](const std::string& host) { return known(host); };
  handlers.ports = [this](const std::string& host) { return ports(host); };
  listeners_ = std::make_unique<Listeners>(engine_, std::move(handlers));
  Link::Handlers link;
  link.listener = [this](uint32_t id, const wire::ListenAt& at, const std::string& note, Fd fd,
                         int error) { listeners_->made(id, at, note, std::move(fd), error); };
  link.replayed = [this] { listeners_->replayed(rules_); };
  link.connected = [this](uint32_t id, Fd fd, int) { published_->connected(id, std::move(fd)); };
  link.closed = [this](const std::string& why) { over_(why); };
  link_ = std::make_unique<Link>(engine_.loop, std::move(attachment_.link), std::move(link));
  listeners_->use(link_.get());
  published_ = std::make_unique<Published>(
      engine_, *link_, std::move(attachment_.published), [this] { return has_room(); },
      [this](Fd inside, Fd outside, const PublishRule& rule) {
        auto flow = std::make_shared<Flow>(engine_, *this, Flow::Entry::publish, std::move(inside));
        keep(flow);
        flow->start_publish(std::move(outside), "publish:" + std::to_string(rule.host_port));
      });
}

Sandbox::~Sandbox() = default;

Status Sandbox::start() { return link_->start(); }

Status Sandbox::set_rules(const std::vector<std::string>& texts) {
  rules_ = TRY(RuleSet::parse(texts));
  listeners_->rules_changed(rules_);
  std::vector<std::shared_ptr<Connection>> all;
  for (const auto& [key, connection] : connections_) all.push_back(connection);
  for (const std::shared_ptr<Connection>& connection : all) connection->rules_changed();
  return {};
}

void Sandbox::sweep(MonoTime now) {
  listeners_->sweep(now);
  std::vector<std::shared_ptr<Connection>> all;
  for (const auto& [key, connection] : connections_) all.push_back(connection);
  for (const std::shared_ptr<Connection>& connection : all) connection->sweep(now);
}

void Sandbox::end() {
  std::vector<std::shared_ptr<Connection>> all;
  for (const auto& [key, connection] : connections_) all.push_back(connection);
  for (const std::shared_ptr<Connection>& connection : all) connection->abort();
  engine_.reporter.forget(attachment_.sandbox);
}

bool Sandbox::leaving() {
  std::vector<std::shared_ptr<Connection>> all;
  for (const auto& [key, connection] : connections_) all.push_back(connection);
  bool some = false;
  for (const std::shared_ptr<Connection>& connection : all) some |= connection->leaving();
  return some;
}

DnsServer::Found Sandbox::known(const std::string& name) {
  DnsServer::Found found;
  if (injection(name) != nullptr) {
    found.known = true;
    return found;
  }
  const Decision decision = rules_.any_port_of(name);
  found.known = decision.allowed;
  Refusal refusal;
  refusal.kind = "name";
  refusal.host = name;
  refusal.rule = decision.rule;
  refusal.allow = decision.allow;
  refusal.why = decision.rule.empty() ? "no rule names " + name : "a rule forbids " + name;
  if (found.known && !decision.exact && tunnels(name, rules_.wildcard_base(name))) {
    found.known = false;
    refusal.why = "more below a wildcard than names of hosts need";
    refusal.allow = name;
  }
  if (!found.known) refused(refusal);
  found.why = refusal.why;
  return found;
}

std::vector<uint16_t> Sandbox::ports(const std::string& name) {
  return injection(name) != nullptr ? std::vector<uint16_t>{80} : rules_.ports_of(name);
}

void Sandbox::accepted(Listeners::Role role, const std::string& name, uint16_t port,
                       Fd connection) {
  if (!has_room()) return reset_connection(std::move(connection));
  Target target{name, std::nullopt, port};
  if (role == Listeners::Role::network) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    ::getsockname(connection.get(), reinterpret_cast<sockaddr*>(&storage), &size);
    target.address = address_of(storage);
    // What was meant for loopback finds nobody there, as without us.
    if (!target.address || classify(*target.address) == AddressClass::loopback)
      return reset_connection(std::move(connection));
    target.name = target.address->text();
  }
  const Flow::Entry entry = role == Listeners::Role::http_proxy ? Flow::Entry::http_proxy
                            : role == Listeners::Role::socks    ? Flow::Entry::socks
                                                                : Flow::Entry::transparent;
  auto flow = std::make_shared<Flow>(engine_, *this, entry, std::move(connection));
  keep(flow);
  entry == Flow::Entry::transparent ? flow->start_transparent(target) : flow->start_proxy();
}

void Sandbox::keep(std::shared_ptr<Connection> connection) {
  Connection* key = connection.get();
  connections_[key] = std::move(connection);
}

bool Sandbox::has_room() {
  if (connections_.size() < attachment_.connections) return true;
  Refusal refusal;
  refusal.kind = "rate";
  refusal.why = "more than " + std::to_string(attachment_.connections) + " connections at once";
  refused(refusal);
  return false;
}

void Sandbox::refused(const Refusal& refusal) {
  engine_.reporter.refused(attachment_.sandbox, refusal);
}

void Sandbox::reached(const std::string& host, uint16_t port, bool is_private) {
  if (!attachment_.learn || reached_.size() >= k_most_reached) return;
  const std::string place = host + ' ' + std::to_string(port) + (is_private ? " private" : "");
  if (reached_.insert(place).second)
    engine_.reporter.reached(attachment_.sandbox, host, port, is_private);
}

std::shared_ptr<HostMeter> Sandbox::meter(const std::string& host) {
  return engine_.reporter.meter(attachment_.sandbox, host);
}

size_t Sandbox::allowance(Connection& connection, size_t wanted) {
  if (attachment_.rate == 0) return wanted;
  if (tokens_ > 0) return std::min(wanted, static_cast<size_t>(tokens_));
  parked_.insert(&connection);
  return 0;
}

void Sandbox::spent(size_t bytes) {
  if (attachment_.rate != 0) tokens_ -= static_cast<int64_t>(bytes);
}

// Called every 20 ms while there is a rate; one second's worth is saved up at most.
bool Sandbox::refill(MonoTime now) {
  if (attachment_.rate == 0) return false;
  const auto rate = static_cast<int64_t>(std::min<uint64_t>(attachment_.rate, uint64_t{1} << 40));
  const int64_t passed = std::min((now - refilled_).ns, k_second);
  const int64_t more = rate / 1000 * (passed / 1000) / 1000;
  if (more == 0) return true;
  refilled_ = now;
  tokens_ = std::min(tokens_ + more, rate);
  std::unordered_set<Connection*> parked;
  parked.swap(parked_);
  for (Connection* connection : parked)
    if (const auto found = connections_.find(connection); found != connections_.end()) {
      const std::shared_ptr<Connection> alive = found->second;
      alive->resume();
    }
  return true;
}

const Injection* Sandbox::injection(const std::string& name) const {
  if (!name.ends_with(k_inject_suffix)) return nullptr;
  const std::string_view label(name.data(), name.size() - k_inject_suffix.size());
  for (const Injection& injection : attachment_.injections)
    if (injection.rule.name == label) return &injection;
  return nullptr;
}

void Sandbox::hand_to_injection(const Injection& injection, Fd client, std::string bytes) {
  std::shared_ptr<Connection> made =
      make_injected(engine_, *this, injection, std::move(client), std::move(bytes));
  keep(made);
  made->resume();
}

void Sandbox::finished(Connection& connection) {
  parked_.erase(&connection);
  const auto found = connections_.find(&connection);
  if (found == connections_.end()) return;
  engine_.bury(std::move(found->second));
  connections_.erase(found);
}

}  // namespace fabric::egress
