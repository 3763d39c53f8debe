// SPDX-License-Identifier: Apache-2.0
// A thread that waits for descriptors (epoll), timers, and work posted by other threads: the
// supervisor's I/O thread, the egress process. All but post() is for the thread that calls run().
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

namespace fabric {

class EventLoop {
 public:
  using Handler = std::function<void(uint32_t epoll_events)>;
  using TimerId = uint64_t;

  static Result<std::unique_ptr<EventLoop>> make(const Clock& clock);

  // The loop does not own `fd`; forget() it before closing it.
  Status watch(int fd, uint32_t epoll_events, Handler handler);
  Status change(int fd, uint32_t epoll_events);
  void forget(int fd);

  TimerId after(Duration delay, std::function<void()> action);
  void cancel(TimerId timer);

  // From any thread: runs `action` in the loop soon, in the order posted.
  void post(std::function<void()> action);

  Status run();  // until stop()
  void stop() { stopping_ = true; }
  [[nodiscard]] MonoTime now() const { return clock_.monotonic(); }

 private:
  explicit EventLoop(const Clock& clock) : clock_(clock) {}
  void run_posted();
  void run_timers();
  [[nodiscard]] int timeout_ms() const;

  struct Watch {
    int fd;
    Handler handler;
  };
  const Clock& clock_;
  Fd epoll_;
  Fd wake_;
  bool stopping_ = false;
  // Keyed by a number never reused, which epoll hands back: an event for a descriptor that was
  // closed and reopened within one round cannot reach the wrong handler.
  uint64_t next_watch_ = 1;
  std::unordered_map<uint64_t, std::shared_ptr<Watch>> watches_;
  std::unordered_map<int, uint64_t> watch_of_fd_;
  uint64_t next_timer_ = 1;
  std::map<std::pair<int64_t, TimerId>, std::function<void()>> timers_;
  std::unordered_map<TimerId, int64_t> timer_due_;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
};

}  // namespace fabric
