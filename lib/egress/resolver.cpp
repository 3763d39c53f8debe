// SPDX-License-Identifier: Apache-2.0
#include "egress/resolver.hpp"

#include <ifaddrs.h>
#include <netdb.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/fd.hpp"
#include "egress/http_head.hpp"

namespace fabric::egress {
namespace {

constexpr int k_threads = 16, k_threads_each = 2, k_questions_each = 64;
constexpr size_t k_cached_names = 4096, k_addresses = 16;
constexpr Duration k_keep = Duration::seconds(30), k_keep_failure = Duration::seconds(2),
                   k_keep_own = Duration::seconds(10);

Resolution ask_system(const std::string& name) {
  Resolution out;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int code = ::getaddrinfo((name + ".").c_str(), nullptr, &hints, &list);
  if (code != 0) {
    out.error = code == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(code);
    return out;
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  for (const addrinfo* i = list; i != nullptr && out.addresses.size() < k_addresses;
       i = i->ai_next) {
    sockaddr_storage storage{};
    std::memcpy(&storage, i->ai_addr, std::min<size_t>(i->ai_addrlen, sizeof storage));
    const std::optional<Address> address = address_of(storage);
    if (address &&
        std::find(out.addresses.begin(), out.addresses.end(), *address) == out.addresses.end())
      out.addresses.push_back(*address);
  }
  if (out.addresses.empty()) out.error = "it has no address";
  return out;
}

Resolution look_up(const std::vector<std::string>& hosts, const std::string& name) {
  for (const std::string& path : hosts) {
    const Result<std::string> text = read_file(path, size_t{8} << 20);
    if (!text) continue;
    Resolution out{find_in_hosts(*text, name), ""};
    if (!out.addresses.empty()) return out;
  }
  return ask_system(name);
}

std::vector<Address> interface_addresses() {
  std::vector<Address> out;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return out;
  for (const ifaddrs* i = list; i != nullptr; i = i->ifa_next) {
    if (i->ifa_addr == nullptr) continue;
    const bool v6 = i->ifa_addr->sa_family == AF_INET6;
    if (!v6 && i->ifa_addr->sa_family != AF_INET) continue;
    sockaddr_storage storage{};
    std::memcpy(&storage, i->ifa_addr, v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
    if (const std::optional<Address> address = address_of(storage)) out.push_back(*address);
  }
  ::freeifaddrs(list);
  return out;
}

}  // namespace

std::vector<Address> find_in_hosts(std::string_view text, std::string_view name) {
  std::vector<Address> out;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    line = line.substr(0, line.find('#'));
    std::optional<Address> address;
    for (bool first = true; !line.empty(); first = false) {
      const size_t begin = std::min(line.find_first_not_of(" \t\r"), line.size());
      line.remove_prefix(begin);
      const std::string_view word = line.substr(0, line.find_first_of(" \t\r"));
      line.remove_prefix(word.size());
      if (word.empty()) break;
      if (first && !(address = parse_address(word))) break;
      if (!first && equal_ignoring_case(word, name) && out.size() < k_addresses)
        out.push_back(*address);
    }
  }
  return out;
}

Resolver::Resolver(EventLoop& loop, std::vector<std::string> hosts, LookUp look_up)
    : loop_(loop), look_up_(std::move(look_up)) {
  if (!look_up_)
    look_up_ = [hosts = std::move(hosts)](const std::string& name) {
      return egress::look_up(hosts, name);
    };
  for (int i = 0; i < k_threads; ++i) threads_.emplace_back([this] { work(); });
}

Resolver::~Resolver() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

// The oldest question of somebody who has not his share of the threads already.
std::deque<Resolver::Question>::iterator Resolver::next() {
  return std::find_if(queue_.begin(), queue_.end(), [this](const Question& question) {
    const auto busy = busy_.find(question.who);
    return busy == busy_.end() || busy->second < k_threads_each;
  });
}

void Resolver::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || next() != queue_.end(); });
    if (stopping_) return;
    const auto at = next();
    const Question question = *at;
    std::erase_if(queue_, [&](const Question& other) { return other.name == question.name; });
    ++busy_[question.who];
    lock.unlock();
    auto found = std::make_shared<Resolution>(look_up_(question.name));
    loop_.post([this, name = question.name, found] { answered(name, std::move(*found)); });
    lock.lock();
    if (--busy_[question.who] == 0) busy_.erase(question.who);
    // Nobody else need wake: this thread looks itself at what may be asked now.
  }
}

void Resolver::resolve(uint64_t who, const std::string& name, Done done) {
  if (const auto cached = cache_.find(name);
      cached != cache_.end() && cached->second.until > loop_.now())
    return done(cached->second.resolution);
  int& asked = asked_[who];
  if (asked >= k_questions_each) return done({{}, "too many names are being looked up"});
  ++asked;
  std::vector<Waiting>& waiting = waiting_[name];
  waiting.push_back({who, std::move(done)});
  const std::lock_guard lock(mutex_);
  bool asked_for_us = false, queued = waiting.size() == 1;
  for (const Question& question : queue_) {
    if (question.name != name) continue;
    queued = true;
    asked_for_us = asked_for_us || question.who == who;
  }
  // Who only joined a question of another would wait for that one's turn.
  if (!queued || asked_for_us) return;
  queue_.push_back({who, name});
  wake_.notify_one();
}

void Resolver::answered(const std::string& name, Resolution resolution) {
  if (cache_.size() >= k_cached_names) cache_.clear();
  const Duration keep = resolution.addresses.empty() ? k_keep_failure : k_keep;
  cache_[name] = {resolution, loop_.now() + keep};
  auto node = waiting_.extract(name);
  if (node.empty()) return;
  for (Waiting& waiting : node.mapped()) {
    if (--asked_[waiting.who] <= 0) asked_.erase(waiting.who);
    waiting.done(resolution);
  }
}

const std::vector<Address>& Resolver::own_addresses() {
  if (own_until_ <= loop_.now()) {
    own_ = interface_addresses();
    own_until_ = loop_.now() + k_keep_own;
  }
  return own_;
}

}  // namespace fabric::egress
