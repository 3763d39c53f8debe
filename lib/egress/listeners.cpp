// SPDX-License-Identifier: Apache-2.0
#include "egress/listeners.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace fabric::egress {
namespace {

constexpr int k_accepts_a_round = 16;
constexpr size_t k_questions = 256;
constexpr Duration k_patience = Duration::seconds(3);
// Notes that init gives back after a restart of ours.
constexpr std::string_view k_name_note = "name ", k_network_note = "network";

wire::ListenAt listen_at(const Address& address, uint16_t port) {
  wire::ListenAt at{};
  at.type = SOCK_STREAM;
  at.port = port;
  at.flags = wire::k_listen_free;
  at.family = address.is_v4() ? AF_INET : AF_INET6;
  if (address.is_v4())
    std::memcpy(at.address, address.bytes.data() + 12, 4);
  else
    std::memcpy(at.address, address.bytes.data(), 16);
  return at;
}

Address address_in(const wire::ListenAt& at) {
  Address out;
  if (at.family == AF_INET) {
    out.bytes[10] = out.bytes[11] = 0xff;
    std::memcpy(out.bytes.data() + 12, at.address, 4);
  } else {
    std::memcpy(out.bytes.data(), at.address, 16);
  }
  return out;
}

}  // namespace

Listeners::Listeners(Engine& engine, Handlers handlers)
    : engine_(engine),
      handlers_(std::move(handlers)),
      dns_(engine,
           [this](const std::string& name, DnsServer::Done done) { find(name, std::move(done)); }) {
}

Listeners::~Listeners() {
  for (const auto& [id, listener] : listeners_)
    if (listener.fd) engine_.loop.forget(listener.fd.get());
}

void Listeners::find(const std::string& name, DnsServer::Done done) {
  DnsServer::Found found = handlers_.known(name);
  if (!found.known) return done(found);
  if (!ready_ && early_.size() < k_questions) {
    early_.push_back({name, found, std::move(done), engine_.loop.now()});
    return;
  }
  found.why = "no listener could be made for it";
  NameEntry* entry = names_.find(name);
  if (entry == nullptr && ready_ && link_ != nullptr) {
    std::vector<uint32_t> evicted;
    entry = names_.add(name, engine_.loop.now(), evicted);
    for (const uint32_t id : evicted) close(id);
    if (entry == nullptr) found.why = "too many names are in use";
  }
  if (entry == nullptr || questions_.size() >= k_questions) return done(found);
  entry->asked = engine_.loop.now();
  found.v4 = entry->v4;
  found.v6 = entry->v6;
  if (!ensure(*entry)) {
    questions_.push_back({name, found, std::move(done), engine_.loop.now()});
    return;
  }
  found.served = !entry->listeners.empty();
  done(found);
}

bool Listeners::ensure(NameEntry& entry) {
  if (link_ == nullptr || !ready_) return entry.awaited.empty();
  for (const uint16_t port : handlers_.ports(entry.name)) {
    for (const Address& address : {entry.v4, entry.v6}) {
      const wire::ListenAt at = listen_at(address, port);
      if (entry.listeners.contains({at.family, port})) continue;
      if (listeners_.size() >= wire::k_max_link_listeners) break;
      const uint32_t id = make(Role::name, entry.name, at);
      entry.listeners[{at.family, port}] = id;
      entry.awaited.insert(id);
    }
  }
  return entry.awaited.empty();
}

uint32_t Listeners::make(Role role, const std::string& name, const wire::ListenAt& at) {
  const uint32_t id = next_id_++;
  Listener& listener = listeners_[id];
  listener.role = role;
  listener.name = name;
  listener.port = at.port;
  listener.at = at;
  link_->listen(id, at,
                role == Role::name ? std::string(k_name_note) + name : std::string(k_network_note));
  return id;
}

void Listeners::make_networks(const RuleSet& rules) {
  if (link_ == nullptr || !ready_) return;
  for (const EgressRule* rule : rules.networks()) {
    const Address network{rule->network};
    // One address has a listener of its own; a range needs one for all addresses, which then also
    // gets what is meant for loopback and says no to it.
    Address any;
    if (network.is_v4()) any.bytes[10] = any.bytes[11] = 0xff;
    const Address at = rule->prefix == 128 ? network : any;
    for (const uint16_t port : rule->any_port ? usual_ports() : rule->ports)
      if (networks_.insert({at.text(), port}).second) make(Role::network, "", listen_at(at, port));
  }
}

void Listeners::made(uint32_t id, const wire::ListenAt& at, const std::string& note, Fd fd,
                     int error) {
  const auto found = listeners_.find(id);
  if (found == listeners_.end()) {
    if (fd && !ready_) restored(id, at, note, std::move(fd));
    return;
  }
  Listener& listener = found->second;
  const bool same = std::memcmp(&listener.at, &at, sizeof at) == 0;
  if (listener.fd || (fd && !same)) return;  // not what was asked for
  const std::string name = listener.name;
  if (fd && error == 0) {
    listener.fd = std::move(fd);
    serve(id, listener);
  } else {
    listeners_.erase(found);
  }
  NameEntry* entry = names_.find(name);
  if (entry == nullptr) return;
  entry->awaited.erase(id);
  if (error != 0)
    std::erase_if(entry->listeners, [id](const auto& at_id) { return at_id.second == id; });
  if (entry->awaited.empty()) answer_waiting(name);
}

void Listeners::answer_waiting(const std::string& name) {
  std::vector<Question> ready;
  for (size_t i = 0; i < questions_.size();) {
    if (questions_[i].name != name) {
      ++i;
      continue;
    }
    ready.push_back(std::move(questions_[i]));
    questions_.erase(questions_.begin() + static_cast<ptrdiff_t>(i));
  }
  NameEntry* entry = names_.find(name);
  for (Question& question : ready) {
    question.found.served = entry != nullptr && !entry->listeners.empty();
    question.done(question.found);
  }
}

// What the init had before this process knew it.
void Listeners::restored(uint32_t id, const wire::ListenAt& at, const std::string& note, Fd fd) {
  if (id == wire::k_link_resolver_udp && at.type == SOCK_DGRAM)
    return dns_.serve_udp(std::move(fd));
  if (at.type != SOCK_STREAM) return;
  if (id == wire::k_link_resolver_tcp) return dns_.serve_tcp(std::move(fd));
  Listener listener;
  listener.port = at.port;
  listener.at = at;
  listener.fd = std::move(fd);
  if (id == wire::k_link_http_proxy) {
    listener.role = Role::http_proxy;
  } else if (id == wire::k_link_socks) {
    listener.role = Role::socks;
  } else if (note.starts_with(k_name_note)) {
    listener.role = Role::name;
    listener.name = note.substr(k_name_note.size());
    NameEntry* entry = names_.restore(listener.name, address_in(at), engine_.loop.now());
    if (entry == nullptr) return;
    entry->listeners[{at.family, at.port}] = id;
  } else if (note == k_network_note) {
    listener.role = Role::network;
    networks_.insert({address_in(at).text(), at.port});
  } else {
    return;
  }
  next_id_ = std::max(next_id_, id + 1);
  Listener& kept = listeners_[id] = std::move(listener);
  serve(id, kept);
}

void Listeners::serve(uint32_t id, Listener& listener) {
  engine_.loop.watch(listener.fd.get(), EPOLLIN, [this, id](uint32_t) { accept(id); });
}

void Listeners::accept(uint32_t id) {
  bool more = true;
  for (int i = 0; more && i < k_accepts_a_round; ++i) {
    const auto found = listeners_.find(id);
    if (found == listeners_.end() || !found->second.fd) return;
    Fd fd = engine_.accept(found->second.fd.get(), more);
    if (fd)
      handlers_.accepted(found->second.role, found->second.name, found->second.port, std::move(fd));
  }
}

void Listeners::replayed(const RuleSet& rules) {
  ready_ = true;
  rules_changed(rules);
  for (Question& question : std::exchange(early_, {}))
    find(question.name, std::move(question.done));
}

void Listeners::close(uint32_t id) {
  const auto found = listeners_.find(id);
  if (found == listeners_.end()) return;
  if (found->second.fd) engine_.loop.forget(found->second.fd.get());
  if (link_ != nullptr) link_->close(id);
  listeners_.erase(found);
}

void Listeners::rules_changed(const RuleSet& rules) {
  const std::vector<const EgressRule*> networks = rules.networks();
  std::vector<uint32_t> over;
  for (const auto& [id, listener] : listeners_) {
    const Address address = address_in(listener.at);
    if (listener.role == Role::name) {
      const std::vector<uint16_t> ports = handlers_.ports(listener.name);
      if (std::find(ports.begin(), ports.end(), listener.port) == ports.end()) over.push_back(id);
    } else if (listener.role == Role::network) {
      const bool wanted =
          std::any_of(networks.begin(), networks.end(), [&](const EgressRule* rule) {
            const bool port = rule->any_port || std::find(rule->ports.begin(), rule->ports.end(),
                                                          listener.port) != rule->ports.end();
            const Address network{rule->network};
            return port &&
                   (rule->prefix == 128 ? network == address : network.is_v4() == address.is_v4());
          });
      if (!wanted) over.push_back(id);
    }
  }
  for (const uint32_t id : over) {
    const Listener& listener = listeners_[id];
    networks_.erase({address_in(listener.at).text(), listener.port});
    if (NameEntry* entry = names_.find(listener.name); entry != nullptr) {
      std::erase_if(entry->listeners, [id](const auto& at_id) { return at_id.second == id; });
      entry->awaited.erase(id);
    }
    close(id);
  }
  make_networks(rules);
  names_.each([this](NameEntry& entry) { ensure(entry); });
}

void Listeners::sweep(MonoTime now) {
  dns_.sweep(now);
  std::vector<Question> late;
  for (size_t i = 0; i < questions_.size();) {
    if (now - questions_[i].since <= k_patience) {
      ++i;
      continue;
    }
    late.push_back(std::move(questions_[i]));
    questions_.erase(questions_.begin() + static_cast<ptrdiff_t>(i));
  }
  for (Question& question : late) question.done(question.found);
}

}  // namespace fabric::egress
