// SPDX-License-Identifier: Apache-2.0
#include "base/event_loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace fabric {

Result<std::unique_ptr<EventLoop>> EventLoop::make(const Clock& clock) {
  std::unique_ptr<EventLoop> loop(new EventLoop(clock));
  loop->epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!loop->epoll_) return fail_errno(errno, "epoll_create1");
  loop->wake_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!loop->wake_) return fail_errno(errno, "eventfd");
  EventLoop* self = loop.get();
  TRY_STATUS(loop->watch(loop->wake_.get(), EPOLLIN, [self](uint32_t) {
    uint64_t count = 0;
    [[maybe_unused]] ssize_t n = ::read(self->wake_.get(), &count, sizeof count);
    self->run_posted();
  }));
  return loop;
}

Status EventLoop::watch(int fd, uint32_t epoll_events, Handler handler) {
  uint64_t key = next_watch_++;
  epoll_event event{};
  event.events = epoll_events;
  event.data.u64 = key;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    return fail_errno(errno, "watching a descriptor");
  watches_[key] = std::make_shared<Watch>(Watch{fd, std::move(handler)});
  watch_of_fd_[fd] = key;
  return {};
}

Status EventLoop::change(int fd, uint32_t epoll_events) {
  auto found = watch_of_fd_.find(fd);
  if (found == watch_of_fd_.end()) return fail(ErrorCode::failed, "descriptor is not watched");
  epoll_event event{};
  event.events = epoll_events;
  event.data.u64 = found->second;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0)
    return fail_errno(errno, "watching a descriptor");
  return {};
}

void EventLoop::forget(int fd) {
  auto found = watch_of_fd_.find(fd);
  if (found == watch_of_fd_.end()) return;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  watches_.erase(found->second);
  watch_of_fd_.erase(found);
}

EventLoop::TimerId EventLoop::after(Duration delay, std::function<void()> action) {
  TimerId id = next_timer_++;
  const int64_t start = now().ns;
  int64_t due = delay.ns > INT64_MAX - start ? INT64_MAX : start + std::max<int64_t>(delay.ns, 0);
  timers_.emplace(std::pair{due, id}, std::move(action));
  timer_due_[id] = due;
  return id;
}

void EventLoop::cancel(TimerId timer) {
  auto found = timer_due_.find(timer);
  if (found == timer_due_.end()) return;
  timers_.erase({found->second, timer});
  timer_due_.erase(found);
}

void EventLoop::post(std::function<void()> action) {
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(action));
  }
  if (!first) return;  // the wake-up that is under way will see this one too
  uint64_t one = 1;
  [[maybe_unused]] ssize_t n = ::write(wake_.get(), &one, sizeof one);
}

void EventLoop::run_posted() {
  std::vector<std::function<void()>> batch;
  {
    std::lock_guard lock(mutex_);
    batch.swap(posted_);
  }
  for (auto& action : batch) action();
}

void EventLoop::run_timers() {
  while (!timers_.empty() && timers_.begin()->first.first <= now().ns) {
    auto node = timers_.extract(timers_.begin());
    timer_due_.erase(node.key().second);
    node.mapped()();
  }
}

int EventLoop::timeout_ms() const {
  if (timers_.empty()) return -1;
  int64_t left = timers_.begin()->first.first - now().ns;
  if (left <= 0) return 0;
  return static_cast<int>(std::min<int64_t>((left + 999999) / 1000000, 3600000));
}

Status EventLoop::run() {
  std::array<epoll_event, 256> events;
  while (!stopping_) {
    int n =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms());
    if (n < 0 && errno != EINTR) return fail_errno(errno, "epoll_wait");
    for (int i = 0; i < n; ++i) {
      auto found = watches_.find(events[static_cast<size_t>(i)].data.u64);
      if (found == watches_.end()) continue;
      std::shared_ptr<Watch> watch = found->second;  // survives forget() in its own handler
      watch->handler(events[static_cast<size_t>(i)].events);
    }
    run_timers();
  }
  stopping_ = false;  // it may run again
  return {};
}

}  // namespace fabric
