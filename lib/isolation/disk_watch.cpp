// SPDX-License-Identifier: Apache-2.0
#include "isolation/disk_watch.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/size.hpp"
#include "isolation/disk_usage.hpp"
#include "isolation/sandbox_slots.hpp"

namespace fabric {

namespace {

constexpr Duration k_look = Duration::millis(200);
constexpr Duration k_measure = Duration::seconds(5);
// Of the time, at most a twentieth goes into measuring out of habit, a fifth when there is cause.
constexpr int64_t k_habit = 20, k_cause = 5;
constexpr uint64_t k_little = uint64_t{1} << 20;

// Bytes that are left on the file system, whoever takes them.
uint64_t free_bytes(const std::string& path) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) return 0;
  return uint64_t{status.f_bfree} * status.f_frsize;
}

struct Watched {
  std::string cgroup, directory, also;
  uint64_t limit = 0;
  CgroupHost groups;
  std::vector<Fd> events;
  // These two are read by others too; written by the watch, under the lock.
  uint64_t used = 0;
  MonoTime measured_at;    // 0: never
  uint64_t free_then = 0;  // on the file system, when it was measured
  Duration took;
  bool over = false;

  // Whether it has to be measured now.
  [[nodiscard]] bool due(MonoTime now) const {
    if (measured_at.ns == 0) return true;
    const Duration since = now - measured_at;
    if (since.ns < took.ns * k_cause) return false;
    if (over || since.ns >= std::max(k_measure.ns, took.ns * k_habit)) return true;
    const uint64_t left = limit > used ? limit - used : 0;
    const uint64_t free_now = free_bytes(directory);
    const uint64_t went = free_then > free_now ? free_then - free_now : 0;
    return went >= std::max(left / 2, k_little);
  }
};

std::string message_of(const DiskUsage& usage, uint64_t limit) {
  if (usage.too_deep)
    return "the work directory has directories nested more than " +
           std::to_string(k_deepest_directory) + " deep, which its limit does not allow";
  return "the work directory held " + human_size(usage.bytes) + ", more than its limit of " +
         human_size(limit);
}

}  // namespace

struct DiskWatch::State {
  OnOver on_over;
  Fd wake;
  mutable std::mutex mutex;
  bool stopping = false;
  // Shared: one that is removed is perhaps being measured.
  std::map<std::string, std::shared_ptr<Watched>> watched;
  std::thread thread;

  void ring() const {
    const uint64_t one = 1;
    [[maybe_unused]] ssize_t n = ::write(wake.get(), &one, sizeof one);
  }
  void run();
  bool look(Watched& sandbox);
  void measure(Watched& sandbox);
  void wait(const std::vector<std::shared_ptr<Watched>>& all, bool busy) const;
};

void DiskWatch::State::measure(Watched& sandbox) {
  const MonoTime began = system_clock().monotonic();
  const uint64_t free_then = free_bytes(sandbox.directory);
  auto usage = measure_directory(sandbox.directory, slot_processes(sandbox.groups, sandbox.cgroup));
  if (usage && !sandbox.also.empty()) {
    if (auto more = measure_directory(sandbox.also, {})) {
      usage->bytes += more->bytes;
      usage->too_deep = usage->too_deep || more->too_deep;
    }
  }
  const MonoTime ended = system_clock().monotonic();
  const bool over = usage && (usage->bytes > sandbox.limit || usage->too_deep);
  {
    std::lock_guard lock(mutex);
    if (usage) sandbox.used = usage->bytes;
    sandbox.measured_at = ended;
  }
  sandbox.free_then = free_then;
  sandbox.took = ended - began;
  const bool again = std::exchange(sandbox.over, over);
  if (!over) return;
  // The first time only. If it still runs at the next look, its init was perhaps in the middle of
  // starting it, and comes to read what it is told when that can go on.
  freeze_slots(sandbox.groups, sandbox.cgroup, again ? Frozen::no : Frozen::yes);
  on_over({sandbox.cgroup, message_of(*usage, sandbox.limit), again});
}

// Whether it has to be looked at again soon.
bool DiskWatch::State::look(Watched& sandbox) {
  const bool never = sandbox.measured_at.ns == 0;
  const bool busy = populated(sandbox.events);
  if (busy || never)  // once in any case: who asks how much there is gets an answer
    if (sandbox.due(system_clock().monotonic())) measure(sandbox);
  return busy;
}

void DiskWatch::State::wait(const std::vector<std::shared_ptr<Watched>>& all, bool busy) const {
  std::vector<pollfd> ask{{wake.get(), POLLIN, 0}};
  if (!busy)
    for (const auto& sandbox : all)
      for (const Fd& events : sandbox->events) ask.push_back({events.get(), POLLPRI, 0});
  ::poll(ask.data(), ask.size(), busy ? static_cast<int>(k_look.to_millis()) : -1);
  uint64_t count = 0;
  if ((ask[0].revents & POLLIN) != 0) {
    [[maybe_unused]] ssize_t n = ::read(wake.get(), &count, sizeof count);
  }
}

void DiskWatch::State::run() {
  ::pthread_setname_np(::pthread_self(), "fabric-disk");
  for (;;) {
    std::vector<std::shared_ptr<Watched>> all;
    {
      std::lock_guard lock(mutex);
      if (stopping) return;
      for (const auto& [name, sandbox] : watched) all.push_back(sandbox);
    }
    bool busy = false;
    for (const auto& sandbox : all) busy = look(*sandbox) || busy;
    wait(all, busy);
  }
}

Result<DiskWatch> DiskWatch::start(OnOver on_over) {
  auto state = std::make_unique<State>();
  state->on_over = std::move(on_over);
  state->wake = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!state->wake) return fail_errno(errno, "eventfd");
  state->thread = std::thread([raw = state.get()] { raw->run(); });
  return DiskWatch(std::move(state));
}

Status DiskWatch::add(const SandboxIdentity& identity, const std::string& directory,
                      uint64_t limit_bytes, const std::string& also) {
  auto sandbox = std::make_shared<Watched>();
  sandbox->cgroup = identity.cgroup;
  sandbox->directory = directory;
  sandbox->also = also;
  sandbox->limit = limit_bytes;
  sandbox->groups = locate_cgroups(identity.pid, identity.cgroup);
  sandbox->events = slot_events(sandbox->groups, identity.cgroup);
  {
    std::lock_guard lock(state_->mutex);
    state_->watched.insert_or_assign(identity.cgroup, std::move(sandbox));
  }
  state_->ring();
  return {};
}

void DiskWatch::remove(const std::string& cgroup) {
  {
    std::lock_guard lock(state_->mutex);
    state_->watched.erase(cgroup);
  }
  state_->ring();
}

std::optional<uint64_t> DiskWatch::used(const std::string& cgroup) const {
  std::lock_guard lock(state_->mutex);
  const auto found = state_->watched.find(cgroup);
  if (found == state_->watched.end() || found->second->measured_at.ns == 0) return std::nullopt;
  return found->second->used;
}

DiskWatch::DiskWatch(std::unique_ptr<State> state) : state_(std::move(state)) {}
DiskWatch::DiskWatch(DiskWatch&&) noexcept = default;
DiskWatch& DiskWatch::operator=(DiskWatch&&) noexcept = default;

DiskWatch::~DiskWatch() {
  if (!state_) return;
  {
    std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->ring();
  state_->thread.join();
}

}  // namespace fabric
