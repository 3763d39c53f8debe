// SPDX-License-Identifier: Apache-2.0
// A manager, a scratch directory and sandboxes that are surely destroyed. All waits have deadlines.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "isolation/isolation_manager.hpp"

namespace fabric::test {

// Everything of one test: removed at its end, processes and cgroups included.
class Fixture {
 public:
  Fixture();
  ~Fixture();
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  IsolationManager& manager() { return *manager_; }
  [[nodiscard]] const std::string& directory() const { return directory_; }
  SandboxSpec spec(IsolationLevel level = IsolationLevel::process);
  Result<Sandbox> try_create(const SandboxSpec& spec);
  Sandbox create(const SandboxSpec& spec);
  Sandbox create(IsolationLevel level = IsolationLevel::process) { return create(spec(level)); }

  [[nodiscard]] std::string path(const std::string& name) const { return directory_ + "/" + name; }
  [[nodiscard]] std::string work(const std::string& name) const {
    return directory_ + "/work/" + name;
  }

 private:
  std::string directory_;
  std::optional<IsolationManager> manager_;
  std::vector<SandboxIdentity> made_;
  uint32_t next_ = 1;
};

struct Outcome {
  AttemptExit exit;
  std::string out, err;
};

// The next event of one kind; fails the test after `seconds`.
template <class T>
T wait_for(Sandbox& sandbox, int seconds = 20);
size_t processes(const Sandbox& sandbox);  // children of its init, orphans that it got included
std::optional<InitEvent> next_event(Sandbox& sandbox, int milliseconds);

StartRequest request(std::vector<std::string> argv);
StartRequest shell(const std::string& script);
// Starts, waits for the end, acknowledges; `input` is given on stdin.
Outcome run(Sandbox& sandbox, StartRequest start, const std::string& input = "");
Outcome run_shell(Sandbox& sandbox, const std::string& script, const std::string& input = "");

template <class T>
T wait_for(Sandbox& sandbox, int seconds) {
  for (;;) {
    auto event = next_event(sandbox, seconds * 1000);
    if (!event) throw std::runtime_error("the event did not come");
    if (auto* found = std::get_if<T>(&*event)) return std::move(*found);
  }
}

}  // namespace fabric::test
