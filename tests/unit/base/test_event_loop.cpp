// SPDX-License-Identifier: Apache-2.0
// Descriptors, timers and posted work in one thread.
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "base/event_loop.hpp"
#include "tests/unit/scheduler/helpers.hpp"

using namespace fabric;
using namespace fabric::test;

namespace {

// A clock that the test moves; wall time is not asked for.
class HandClock final : public Clock {
 public:
  [[nodiscard]] WallTime now() const override { return {1}; }
  [[nodiscard]] MonoTime monotonic() const override { return time; }
  MonoTime time{1000000000};
};

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    read = Fd(ends[0]);
    write = Fd(ends[1]);
  }
  void say() const { REQUIRE(::write(write.get(), "x", 1) == 1); }
  void hear() const {
    char c = 0;
    REQUIRE(::read(read.get(), &c, 1) == 1);
  }
  Fd read, write;
};

}  // namespace

TEST_CASE("posted work runs in the order posted, also work posted by work") {
  auto loop = ok(EventLoop::make(system_clock()));
  std::string order;
  loop->post([&] {
    order += 'a';
    loop->post([&] {
      order += 'd';
      loop->stop();
    });
  });
  loop->post([&] { order += 'b'; });
  loop->post([&] { order += 'c'; });
  ok(loop->run());
  CHECK(order == "abcd");
}

TEST_CASE("work posted from many threads is all done, each thread's in its order") {
  constexpr int k_threads = 4, k_each = 5000;
  auto loop = ok(EventLoop::make(system_clock()));
  std::array<int, k_threads> next{};
  bool in_order = true;
  int left = k_threads * k_each;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < k_threads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < k_each; ++i)
        loop->post([&, t, i] {
          in_order = in_order && next[t] == i;
          next[t] = i + 1;
          if (--left == 0) loop->stop();
        });
    });
  ok(loop->run());
  for (std::thread& thread : threads) thread.join();
  CHECK(in_order);
  CHECK(left == 0);
}

TEST_CASE("timers run when they are due, in order of their time") {
  HandClock clock;
  auto loop = ok(EventLoop::make(clock));
  std::string order;
  loop->after(Duration::seconds(3), [&] {
    order += 'c';
    loop->stop();
  });
  loop->after(Duration::seconds(1), [&] { order += 'a'; });
  loop->after(Duration::seconds(2), [&] { order += 'b'; });
  auto cancelled = loop->after(Duration::seconds(1), [&] { order += 'x'; });
  loop->cancel(cancelled);
  loop->cancel(cancelled);
  loop->cancel(0);
  loop->post([&] { clock.time = clock.time + Duration::seconds(1); });
  loop->post([&] {
    loop->post([&] {
      CHECK(order == "a");
      clock.time = clock.time + Duration::seconds(5);
    });
  });
  ok(loop->run());
  CHECK(order == "abc");
}

TEST_CASE("a timer waits for the real clock") {
  auto loop = ok(EventLoop::make(system_clock()));
  MonoTime start = system_clock().monotonic();
  loop->after(Duration::millis(30), [&] { loop->stop(); });
  ok(loop->run());
  CHECK(system_clock().monotonic() - start >= Duration::millis(30));
}

TEST_CASE("a timer may cancel another that is due in the same round, and itself") {
  HandClock clock;
  auto loop = ok(EventLoop::make(clock));
  bool wrong = false;
  EventLoop::TimerId first = 0, second = 0;
  first = loop->after(Duration::millis(1), [&] {
    loop->cancel(first);
    loop->cancel(second);
  });
  second = loop->after(Duration::millis(2), [&] { wrong = true; });
  loop->after(Duration::millis(3), [&] { loop->stop(); });
  clock.time = clock.time + Duration::seconds(1);
  ok(loop->run());
  CHECK_FALSE(wrong);
}

TEST_CASE("a delay longer than time is no delay that has passed") {
  HandClock clock;
  auto loop = ok(EventLoop::make(clock));
  bool early = false;
  loop->after(Duration{INT64_MAX}, [&] { early = true; });
  loop->after(Duration{-5}, [&] { loop->stop(); });
  ok(loop->run());
  CHECK_FALSE(early);
}

TEST_CASE("a readable descriptor calls its handler until it is forgotten") {
  auto loop = ok(EventLoop::make(system_clock()));
  Pipe pipe;
  int calls = 0;
  ok(loop->watch(pipe.read.get(), EPOLLIN, [&](uint32_t events) {
    CHECK((events & EPOLLIN) != 0);
    pipe.hear();
    if (++calls == 3) {
      loop->forget(pipe.read.get());
      loop->forget(pipe.read.get());
      loop->after(Duration::millis(10), [&] { loop->stop(); });
    }
    pipe.say();
  }));
  pipe.say();
  ok(loop->run());
  CHECK(calls == 3);
}

TEST_CASE("a handler that forgets another one which is ready too") {
  auto loop = ok(EventLoop::make(system_clock()));
  Pipe one, two;
  int calls = 0;
  auto handler = [&](uint32_t) {
    ++calls;
    loop->forget(one.read.get());
    loop->forget(two.read.get());
    loop->after(Duration::millis(5), [&] { loop->stop(); });
  };
  ok(loop->watch(one.read.get(), EPOLLIN, handler));
  ok(loop->watch(two.read.get(), EPOLLIN, handler));
  one.say();
  two.say();
  ok(loop->run());
  CHECK(calls == 1);
}

TEST_CASE("an event of a closed descriptor does not reach the next one with its number") {
  auto loop = ok(EventLoop::make(system_clock()));
  auto first = std::make_unique<Pipe>();
  Pipe other, fresh;
  Fd reused;
  bool wrong = false;
  // Whichever handler runs first replaces the pipe of the other one.
  auto replace = [&](Fd& old) {
    int number = old.get();
    loop->forget(number);
    old.reset();
    int got = ::dup3(fresh.read.get(), number, O_CLOEXEC);
    REQUIRE(got == number);
    reused = Fd(got);
    ok(loop->watch(number, EPOLLIN, [&](uint32_t events) {
      wrong = wrong || (events & EPOLLIN) != 0;
      loop->forget(reused.get());
    }));
    loop->after(Duration::millis(5), [&] { loop->stop(); });
  };
  bool replaced = false;
  auto handler_for = [&](Fd& mine, Fd& others) {
    return [&](uint32_t) {
      loop->forget(mine.get());
      if (replaced) return;
      replaced = true;
      replace(others);
    };
  };
  ok(loop->watch(first->read.get(), EPOLLIN, handler_for(first->read, other.read)));
  ok(loop->watch(other.read.get(), EPOLLIN, handler_for(other.read, first->read)));
  first->say();
  other.say();
  ok(loop->run());
  CHECK(replaced);
  CHECK_FALSE(wrong);
}

TEST_CASE("watching what cannot be watched") {
  auto loop = ok(EventLoop::make(system_clock()));
  CHECK_FALSE(loop->watch(-1, EPOLLIN, [](uint32_t) {}));
  CHECK_FALSE(loop->change(0, EPOLLIN));
}
