// SPDX-License-Identifier: Apache-2.0
#include "supervisor/launcher_thread.hpp"

#include <pthread.h>

namespace fabric {

LauncherThread::LauncherThread(IsolationManager& manager, EventLoop& loop)
    : manager_(manager), loop_(loop) {
  thread_ = std::thread([this] { run(); });
}

LauncherThread::~LauncherThread() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void LauncherThread::post(Work work) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
  }
  wake_.notify_one();
}

void LauncherThread::run() {
  ::pthread_setname_np(::pthread_self(), "fabric-launch");
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Work work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    if (std::function<void()> after = work(manager_)) loop_.post(std::move(after));
    lock.lock();
  }
}

}  // namespace fabric
