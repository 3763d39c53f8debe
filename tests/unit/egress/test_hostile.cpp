// SPDX-License-Identifier: Apache-2.0
// What one program inside may say or do to cost the others, or to get further than its rules.
#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "egress/http_requests.hpp"
#include "egress/resolver.hpp"
#include "egress/rule_set.hpp"

using namespace fabric;
using namespace fabric::egress;

namespace {

std::string passed_on(const std::string& bytes, bool* good = nullptr) {
  HttpRequests requests([](HttpHead& head) { return std::optional(head.text()); });
  std::string out, why;
  const bool fed = requests.feed(bytes, out, why);
  if (good != nullptr) *good = fed;
  return out;
}

double seconds(const std::function<void()>& work) {
  const auto began = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

}  // namespace

TEST_CASE("HTTP/2 is not asked for in a list of upgrades either") {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (const char* upgrade :
       {"Upgrade: h2c\r\n", "Upgrade: websocket, h2c\r\n", "Upgrade: H2C , websocket\r\n",
        "Upgrade: h2c\r\nUpgrade: websocket\r\n", "Upgrade: websocket\r\nUpgrade: h2c\r\n",
        "Upgrade: websocket,\th2c/2\r\n"}) {
    INFO(upgrade);
    const std::string out = passed_on(head + upgrade + "HTTP2-Settings: x\r\n\r\n");
    CHECK(out.find("Upgrade") == std::string::npos);
    CHECK(out.find("HTTP2-Settings") == std::string::npos);
  }
  CHECK(passed_on(head + "Upgrade: websocket\r\n\r\n").find("Upgrade: websocket") !=
        std::string::npos);
  CHECK(passed_on(head + "Upgrade: xh2c\r\n\r\n").find("Upgrade: xh2c") != std::string::npos);
}

TEST_CASE("a body of very small chunks takes no more than its share of time") {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string body;
  while (body.size() < size_t{4} << 20) body += "1\r\na\r\n";
  body += "0\r\n\r\n";
  bool good = false;
  std::string out;
  // In one piece, so that it shows: that took minutes when what had gone on was removed from the
  // front each time. The proxy reads 64 KiB, which held everybody up for 20 ms.
  const double taken = seconds([&] { out = passed_on(head + body, &good); });
  CHECK(good);
  CHECK(out == head + body);
  INFO(taken);
  CHECK(taken < 20);
}

TEST_CASE("'*' does not mean this machine's own addresses, by name or by number") {
  const Address own = *parse_address("8.8.8.8");
  const std::vector<Address> all{own};
  const RuleSet set = *RuleSet::parse({"*"});
  CHECK(set.literal(own, 443, {}).allowed);
  CHECK_FALSE(set.literal(own, 443, all).allowed);
  CHECK(set.literal(*parse_address("9.9.9.9"), 443, all).allowed);
  CHECK_FALSE(set.resolved("a", set.name("a", 443), own, 443, classify(own, all)).allowed);
  CHECK(RuleSet::parse({"*+private"})->literal(own, 443, all).allowed);
  CHECK(RuleSet::parse({"8.8.8.8:443"})->literal(own, 443, all).allowed);
}

TEST_CASE("names whose servers do not answer hold up nobody else's") {
  const std::unique_ptr<EventLoop> loop = EventLoop::make(system_clock()).value();
  std::mutex mutex;
  std::condition_variable wake;
  bool over = false;
  {
    Resolver resolver(*loop, {}, [&](const std::string& name) {
      std::unique_lock lock(mutex);
      if (name.starts_with("slow")) wake.wait(lock, [&] { return over; });
      return Resolution{{*parse_address("1.1.1.1")}, ""};
    });
    int slow = 0;
    std::string answer;
    // Of one asker as many as may wait.
    for (int i = 0; i < 64; ++i)
      resolver.resolve(1, i == 32 ? "quick" : "slow" + std::to_string(i),
                       [&](const Resolution&) { ++slow; });
    resolver.resolve(2, "quick", [&](const Resolution& found) {
      answer = found.addresses.at(0).text();
      loop->stop();
    });
    const auto late = loop->after(Duration::seconds(10), [&] { loop->stop(); });
    CHECK(loop->run());
    loop->cancel(late);
    CHECK(answer == "1.1.1.1");
    CHECK(slow <= 1);  // with the other's
    {
      const std::lock_guard lock(mutex);
      over = true;
    }
    wake.notify_all();
  }
}

TEST_CASE("an address that carries another is what that is, or private") {
  const auto class_of = [](const char* text) { return classify(*parse_address(text)); };
  CHECK(class_of("64:ff9b::8.8.8.8") == AddressClass::is_public);
  CHECK(class_of("64:ff9b::169.254.169.254") == AddressClass::metadata);
  CHECK(class_of("::ffff:0:169.254.169.254") == AddressClass::metadata);
  CHECK(class_of("::ffff:0:8.8.8.8") == AddressClass::is_private);
  // 169.254.169.254 where a prefix of 48 bits has it (RFC 6052), and a harmless one at the end.
  CHECK(class_of("64:ff9b:1:a9fe:a9:fe00:808:808") == AddressClass::is_private);
  CHECK(class_of("64:ff9b:1::169.254.169.254") == AddressClass::metadata);
}
