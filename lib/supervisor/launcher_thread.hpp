// SPDX-License-Identifier: Apache-2.0
// The supervisor's launcher thread: makes, adopts and destroys sandboxes and syncs large outputs,
// so that neither the I/O thread nor a commit ever waits for them.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "base/event_loop.hpp"
#include "isolation/isolation_manager.hpp"

namespace fabric {

class LauncherThread {
 public:
  // Work returns what runs in the loop afterwards (may be empty).
  using Work = std::function<std::function<void()>(IsolationManager&)>;

  LauncherThread(IsolationManager& manager, EventLoop& loop);
  ~LauncherThread();  // finishes what was posted
  LauncherThread(const LauncherThread&) = delete;
  LauncherThread& operator=(const LauncherThread&) = delete;

  void post(Work work);  // from any thread; in order

 private:
  void run();

  IsolationManager& manager_;
  EventLoop& loop_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Work> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fabric
