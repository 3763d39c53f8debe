// SPDX-License-Identifier: Apache-2.0
// fabric_unit_egress "[speed]": what a connection through the real program costs beside a direct
// one over loopback, in the same run. Not run by default: figures are no tests.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <vector>

#include "tests/unit/egress/inside.hpp"
#include "tests/unit/egress/outside.hpp"

using namespace fabric;
using namespace fabric::egress;

namespace {

constexpr size_t k_bytes = size_t{1} << 30;

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// "1 GiB, please" is any byte; "back, please" is any other.
void serve(int fd) {
  static const std::string piece(256 << 10, 'x');
  char what = 0;
  while (::recv(fd, &what, 1, 0) == 1) {
    if (what == 'e') {
      (void)write_all(fd, "e");
      continue;
    }
    for (size_t sent = 0; sent < k_bytes; sent += piece.size())
      if (!write_all(fd, piece)) return;
  }
}

double gigabytes_a_second(const std::string& at, uint16_t port) {
  const Fd fd = Inside::connect(at, port);
  (void)converse(fd, "e");
  static char buffer[256 << 10];
  const auto begin = std::chrono::steady_clock::now();
  (void)write_all(fd.get(), "g");
  size_t got = 0;
  while (got < k_bytes) {
    const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (n <= 0) return 0;
    got += static_cast<size_t>(n);
  }
  return static_cast<double>(got) / 1e9 / seconds_since(begin);
}

// Median microseconds of connect(2) alone, and until a byte came back.
std::pair<double, double> latency(const std::string& at, uint16_t port) {
  std::vector<double> connects, answers;
  for (int i = 0; i < 1000; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const Fd fd = Inside::connect(at, port);
    connects.push_back(seconds_since(begin) * 1e6);
    if (converse(fd, "e") != "e") return {};
    answers.push_back(seconds_since(begin) * 1e6);
  }
  std::nth_element(connects.begin(), connects.begin() + 500, connects.end());
  std::nth_element(answers.begin(), answers.begin() + 500, answers.end());
  return {connects[500], answers[500]};
}

}  // namespace

TEST_CASE("egress: speed", "[.speed]") {
  HostServer server("127.77.0.1", 0, serve);
  Inside inside;
  Outside outside("127.77.0.1 echo.test\n", true);
  outside.attach("s1", inside.new_link(),
                 {"echo.test:" + std::to_string(server.port()) + "+private"});
  std::string at;
  inside.run([&] { at = Inside::ask("echo.test").address; });
  for (int round = 0; round < 5; ++round) {
    double through = 0;
    std::pair<double, double> fast;
    const double direct = gigabytes_a_second("127.77.0.1", server.port());
    inside.run([&] { through = gigabytes_a_second(at, server.port()); });
    const auto plain = latency("127.77.0.1", server.port());
    inside.run([&] { fast = latency(at, server.port()); });
    std::printf(
        "GB/s direct %.2f egress %.2f (%.0f %%)   connect us %.1f %.1f   first byte us "
        "%.1f %.1f\n",
        direct, through, 100 * through / direct, plain.first, fast.first, plain.second,
        fast.second);
  }
}
