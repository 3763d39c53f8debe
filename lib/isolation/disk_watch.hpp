// SPDX-License-Identifier: Apache-2.0
// Keeps the work directories of sandboxes within their limits where the file system has no quota
// for them: a thread that looks. While something runs in a sandbox it asks the file system five
// times a second how much went, and measures the directory when that could have passed the limit,
// and every few seconds besides. What is over its limit is frozen at once, so that no more is
// written while the owner of the sandbox is told; he ends it (InitConnection::over_limit).
//
// This is no wall: what is written between two looks is over the limit. And it does not see a file
// that has no name and is held by a mapping or a message in flight only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "isolation/isolation_manager.hpp"

namespace fabric {

class DiskWatch {
 public:
  struct Over {
    std::string cgroup;   // of the sandbox
    std::string message;  // how much, and the limit
    bool again = false;   // as it was at the look before
  };
  // Called in the thread of the watch, each time a running sandbox is found over its limit.
  using OnOver = std::function<void(const Over&)>;

  static Result<DiskWatch> start(OnOver on_over);

  // From any thread. The sandbox is named by its cgroup. `also`: a second directory that counts, or
  // "".
  Status add(const SandboxIdentity& identity, const std::string& directory, uint64_t limit_bytes,
             const std::string& also = "");
  void remove(const std::string& cgroup);
  // As last measured.
  [[nodiscard]] std::optional<uint64_t> used(const std::string& cgroup) const;

  DiskWatch(DiskWatch&&) noexcept;
  DiskWatch& operator=(DiskWatch&&) noexcept;
  ~DiskWatch();  // ends the thread

 private:
  struct State;
  explicit DiskWatch(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fabric
