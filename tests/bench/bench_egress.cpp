// SPDX-License-Identifier: Apache-2.0
// A connection of an agent's program to a listed server on the host's loopback, through the egress
// process, beside a direct one, in turn.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/fd.hpp"
#include "bench_support.hpp"
#include "bench_workspace.hpp"

namespace fabric::bench {
namespace {

constexpr const char* k_address = "127.77.0.1";

using Figures = std::map<std::string, std::vector<double>>;

void add_lines(const std::string& text, Figures& figures) {
  for (size_t at = 0; at < text.size();) {
    const size_t space = text.find(' ', at), end = text.find('\n', at);
    if (end == std::string::npos || space > end) throw Failure("net_peer said: " + text);
    figures[text.substr(at, space - at)].push_back(
        std::stod(text.substr(space + 1, end - space - 1)));
    at = end + 1;
  }
}

double median(const Figures& figures, const std::string& name) {
  const auto at = figures.find(name);
  if (at == figures.end()) throw Failure("no figure for " + name);
  std::vector<double> sorted = at->second;
  std::sort(sorted.begin(), sorted.end());
  return sorted[sorted.size() / 2];
}

// The server, and the port that it printed.
class Server {
 public:
  explicit Server(const std::string& scratch) {
    const std::string said = scratch + "/port";
    pid_ = start(
        {"sh", "-c", "exec \"$0\" serve \"$1\" >\"$2\"", program("net_peer"), k_address, said});
    const int64_t deadline = now_ns() + 10'000'000'000;
    while (port_.empty() || port_.back() != '\n') {
      if (now_ns() > deadline) throw Failure("net_peer serve does not start");
      port_ = read_file(said, 64).value_or("");
    }
    port_.pop_back();
  }
  ~Server() { ::kill(pid_, SIGKILL); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  [[nodiscard]] const std::string& port() const { return port_; }

 private:
  pid_t pid_;
  std::string port_;
};

void body(const Options& options, Report& report) {
  const int rounds = options.numbers.empty() ? 7 : static_cast<int>(options.numbers[0]);
  const std::string fabric = fabric_binary();
  Server server(options.scratch);
  Workspace workspace(options.scratch, "egress");
  // Where the account that the egress process becomes can read it.
  std::string hosts = "/tmp/fabric-bench-hosts.XXXXXX";
  const Fd file(::mkstemp(hosts.data()));
  ::fchmod(file.get(), 0644);
  need(write_all(file.get(), std::string(k_address) + " peer.test\n"));
  const std::string settings = workspace.paths().root + "/fabric.toml";
  need(write_file_atomically(
      settings, need(read_file(settings)) + "\n[egress]\nhosts_file = \"" + hosts + "\"\n", 0644));
  workspace.give("a", "net_peer");
  output_of({fabric, "spawn", "a", "--egress", "peer.test:" + server.port() + "+private", "--",
             "./net_peer", "ask", "peer.test", server.port(), "1000"});
  Figures direct, through;
  for (int i = 0; i < rounds; ++i) {
    add_lines(output_of({program("net_peer"), "ask", k_address, server.port(), "1000"}), direct);
    add_lines(output_of({fabric, "run", "a"}), through);
  }
  ::unlink(hosts.c_str());
  const auto time = [&](const std::string& key, const std::string& name) -> Row& {
    const Row& plain = report.figure(name + ", direct", "us", median(direct, key) / 1000);
    return report.figure(name + ", egress", "us", median(through, key) / 1000).beside(plain);
  };
  time("connect_ns", "connect").goal_ratio_at_most(2);
  time("first_byte_ns", "connect, until the server's answer");
  for (const auto& [key, name] :
       {std::pair{"down_bps", "from the server"}, {"up_bps", "to the server"}}) {
    const Row& plain =
        report.figure(std::string(name) + ", direct", "MB/s", median(direct, key) / 1e6);
    report.figure(std::string(name) + ", egress", "MB/s", median(through, key) / 1e6)
        .beside(plain)
        .goal_ratio_at_least(0.6);
  }
}

}  // namespace
}  // namespace fabric::bench

int main(int argc, char** argv) {
  return fabric::bench::bench_main(argc, argv, "egress", 300, fabric::bench::body);
}
