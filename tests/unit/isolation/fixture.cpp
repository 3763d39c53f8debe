// SPDX-License-Identifier: Apache-2.0
#include "fixture.hpp"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <stdexcept>

#include "isolation/cgroup_host.hpp"

namespace fabric::test {

namespace {

std::atomic<uint64_t> next_attempt{1};

Fd memory_file() { return Fd(::memfd_create("test", MFD_CLOEXEC)); }

std::string contents(const Fd& file) {
  ::lseek(file.get(), 0, SEEK_SET);
  return read_all(file.get()).value();
}

std::string root_name() { return "fabric-test-" + std::to_string(::getpid()); }

}  // namespace

Fixture::Fixture() {
  char name[] = "/tmp/fabric-isolation-XXXXXX";
  directory_ = ::mkdtemp(name);
  ::mkdir(work("").c_str(), 0700);
  auto manager = IsolationManager::open(FABRIC_INIT_BINARY, root_name());
  if (!manager) throw std::runtime_error(manager.error().message);
  manager_.emplace(std::move(*manager));
}

Fixture::~Fixture() {
  for (const SandboxIdentity& identity : made_) (void)manager_->destroy_sandbox(identity);
  (void)manager_->remove_unknown({});
  if (auto host = open_cgroup_host(root_name())) leave_cgroup_host(*host);
  std::error_code error;
  std::filesystem::remove_all(directory_, error);
}

SandboxSpec Fixture::spec(IsolationLevel level) {
  SandboxSpec spec;
  const std::string number = std::to_string(next_);
  spec.name = "agent" + number;
  spec.number = next_++;
  spec.generation = 1;
  spec.cgroup = "test-" + number;
  spec.level = level;
  spec.work_dir = directory_ + "/work";
  spec.control_socket = path("socket" + number);
  spec.exit_journal = path("journal" + number);
  spec.path_env = "/usr/local/bin:/usr/bin:/bin";
  return spec;
}

Result<Sandbox> Fixture::try_create(const SandboxSpec& spec) {
  auto sandbox = manager_->create_sandbox(spec);
  if (sandbox) made_.push_back(sandbox->identity);
  return sandbox;
}

Sandbox Fixture::create(const SandboxSpec& spec) {
  auto sandbox = try_create(spec);
  if (!sandbox) throw std::runtime_error(sandbox.error().message);
  return std::move(*sandbox);
}

size_t processes(const Sandbox& sandbox) {
  const std::string pid = std::to_string(sandbox.identity.pid);
  const std::string text = read_file("/proc/" + pid + "/task/" + pid + "/children").value();
  return static_cast<size_t>(std::count(text.begin(), text.end(), ' '));
}

std::optional<InitEvent> next_event(Sandbox& sandbox, int milliseconds) {
  const MonoTime deadline = system_clock().monotonic() + Duration::millis(milliseconds);
  for (;;) {
    auto event = sandbox.connection.receive();
    if (!event) throw std::runtime_error(event.error().message);
    if (*event) return std::move(*event);
    const int64_t left = (deadline - system_clock().monotonic()).to_millis();
    if (left <= 0) return std::nullopt;
    (void)sandbox.connection.flush();
    const bool writing = sandbox.connection.wants_write();
    pollfd ask{sandbox.connection.fd(), static_cast<short>(POLLIN | (writing ? POLLOUT : 0)), 0};
    ::poll(&ask, 1, static_cast<int>(left));
  }
}

StartRequest request(std::vector<std::string> argv) {
  StartRequest start;
  start.attempt = next_attempt++;
  start.argv = std::move(argv);
  start.env = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C"};
  return start;
}

StartRequest shell(const std::string& script) { return request({"/bin/sh", "-c", script}); }

Outcome run(Sandbox& sandbox, StartRequest start, const std::string& input) {
  Fd in = memory_file(), out = memory_file(), err = memory_file();
  (void)write_all(in.get(), input);
  ::lseek(in.get(), 0, SEEK_SET);
  Status started = sandbox.connection.start(start, in, out, err);
  if (!started) throw std::runtime_error(started.error().message);
  Outcome outcome;
  outcome.exit = wait_for<AttemptExit>(sandbox);
  (void)sandbox.connection.acknowledge_exit(outcome.exit.attempt);
  outcome.out = contents(out);
  outcome.err = contents(err);
  return outcome;
}

Outcome run_shell(Sandbox& sandbox, const std::string& script, const std::string& input) {
  return run(sandbox, shell(script), input);
}

}  // namespace fabric::test
