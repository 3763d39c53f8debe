// SPDX-License-Identifier: Apache-2.0
// The egress process of one command: its own, started only when something may lead out of the
// sandbox, and gone when the holder of this is, however he ends (model/egress_wire.hpp, part 2).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"
#include "isolation/egress_messages.hpp"
#include "isolation/egress_process.hpp"
#include "isolation/isolation_manager.hpp"

namespace fabric {

class OneShotEgress {
 public:
  OneShotEgress() = default;
  ~OneShotEgress();
  OneShotEgress(const OneShotEgress&) = delete;
  OneShotEgress& operator=(const OneShotEgress&) = delete;

  // The link. Returns the end that is for the init, which is to be closed when it has been sent.
  Result<Fd> make_link();
  // Starts the process and tells it what to carry, over the link that was made last. The sandbox
  // need not stand yet.
  Status start(const std::string& init_binary, const SandboxSpec& spec, const OneCommand& command);
  // Until it serves: what fails is said before the command has begun.
  Status wait_until_attached();

  // To be read when readable; -1: there is none.
  [[nodiscard]] int fd() const { return egress_.connection.get(); }
  // False: the process is gone, and the command is cut off from the outside.
  bool read();
  // Ends the process when what the command sent last is on its way. What it refused, each once.
  std::vector<EgressRefused> finish(Duration patience);
  // Where it went, of a command that is learned from. After finish().
  [[nodiscard]] const std::vector<EgressReached>& reached() const { return reached_; }

 private:
  Status tell(const SandboxSpec& spec);
  bool receive();
  void add(const EgressRefused& refused);
  void end_process();
  [[nodiscard]] std::string last_words() const;

  PrivateEgress egress_;
  Fd link_;
  std::optional<Status> attached_;
  std::vector<EgressRefused> refused_;
  std::vector<EgressReached> reached_;
  std::vector<char> buffer_;
};

}  // namespace fabric
