// SPDX-License-Identifier: Apache-2.0
#include "bench_workspace.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>

#include "base/id.hpp"
#include "config/settings.hpp"
#include "supervisor/client.hpp"
#include "supervisor/control_protocol.hpp"
#include "supervisor/unix_socket.hpp"

namespace fabric::bench {

Connection::Connection(const std::string& socket_path) : socket_(need(connect_unix(socket_path))) {
  if (!socket_) throw Failure("no supervisor at " + socket_path);
}

std::string Connection::exchange(const std::string& line) {
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t n = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Failure("the supervisor went away");
    rest.remove_prefix(static_cast<size_t>(n));
  }
  for (size_t scanned = 0;;) {
    const size_t end = received_.find('\n', scanned);
    if (end != std::string::npos) {
      std::string answer = received_.substr(0, end);
      received_.erase(0, end + 1);
      return answer;
    }
    scanned = received_.size();
    char buffer[65536];
    const ssize_t n = ::read(socket_.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw Failure("the supervisor went away before it answered");
    received_.append(buffer, static_cast<size_t>(n));
  }
}

void Connection::call(std::string_view method, const std::string& params_json) {
  const int64_t id = next_++;
  need(control::decode_answer(id, exchange(control::encode_call(id, method, params_json))));
}

Workspace::Workspace(const std::string& directory, const std::string& name) {
  const std::string root = directory + "/" + name;
  output_of({fabric_binary(), "init", root});
  if (::chdir(root.c_str()) != 0) throw Failure("chdir " + root);
  // What is left of a benchmark that was killed goes away by itself.
  // Queues as deep as a benchmark wants them.
  const std::string settings =
      "[supervisor]\norphan_grace = \"10s\"\nstop_timeout = \"0s\"\n"
      "[scheduler]\nmax_pending_tasks = 3000000\n"
      "[agent]\nmax_queue_depth = 1000000\n";
  need(write_file_atomically(root + "/fabric.toml", settings, 0644));
  config::FindOptions options;
  options.start = root;
  paths_ = need(config::find_workspace(options));
}

void Workspace::up() { output_of({fabric_binary(), "up", "--detach"}); }
void Workspace::down() { output_of({fabric_binary(), "down"}); }

store::Store& Workspace::store() {
  if (!store_)
    store_ = std::make_unique<store::Store>(
        need(store::Store::open(paths_.store_dir(), store::Store::Mode::read)));
  return *store_;
}

AgentDefinition Workspace::definition(const std::string& id,
                                      std::vector<std::string> command) const {
  config::AgentFlags flags;
  flags.command = std::move(command);
  return need(config::load_agent(paths_, id, flags));
}

void Workspace::give(const std::string& agent, const std::string& program_name) const {
  const std::string state = paths_.agent_state_dir(agent);
  const std::string work = paths_.work_dir(agent);
  ::mkdir(state.c_str(), 0700);
  ::mkdir(work.c_str(), 0700);
  std::filesystem::copy_file(program(program_name), work + "/" + program_name,
                             std::filesystem::copy_options::overwrite_existing);
}

void Workspace::spawn(Connection& connection, const AgentDefinition& definition) const {
  connection.call("spawn", control::encode(definition));
}

void Workspace::spawn_busy(const std::string& id) const {
  Connection connection(socket());
  spawn(connection, definition(id, {"sleep", "1000"}));
  connection.exchange(schedule_call(task_lines(id, 1)));
}

TaskCounts Workspace::counts() { return need(need(store().read()).counts()); }

void Workspace::wait_until_completed(uint64_t tasks, int patience_seconds) {
  const int64_t deadline = now_ns() + int64_t{patience_seconds} * 1'000'000'000;
  for (;;) {
    const TaskCounts now = counts();
    if (now.completed >= tasks) return;
    if (now.failed + now.cancelled + now.timed_out > 0) throw Failure("a task did not complete");
    if (now_ns() > deadline)
      throw Failure("only " + std::to_string(now.completed) + " of " + std::to_string(tasks) +
                    " tasks completed");
    ::poll(nullptr, 0, 4);
  }
}

void Workspace::wait_for_task(const std::string& id) {
  std::optional<Task> task;
  const auto ended = [&](const store::ReadTxn& txn) {
    task = need(txn.find_task(id));
    return task && is_terminal(task->state);
  };
  need(wait_for(store(), ended, Duration::seconds(20)));
  if (task->state != TaskState::completed)
    throw Failure("task " + id + " " + std::string(to_string(task->state)) + ": " + task->detail);
}

std::string Workspace::result_of(const std::string& id) {
  const store::ReadTxn txn = need(store().read());
  const std::optional<Task> task = need(txn.find_task(id));
  if (!task) throw Failure("no task " + id);
  const std::optional<TaskResult> result = need(txn.find_result(task->sequence));
  return result ? result->head : "";
}

std::string task_lines(const std::string& agent, size_t count) {
  std::string lines;
  for (size_t i = 0; i < count; ++i)
    lines += R"({"agent":")" + agent + R"(","payload":{"n":)" + std::to_string(i) + "}}\n";
  return lines;
}

std::string schedule_call(const std::string& lines) {
  Submission submission;
  submission.request_id = make_uuid7();
  submission.lines = lines;
  submission.user = "bench";
  submission.correlation_id = submission.request_id;
  return control::encode_call(1, "schedule", control::encode(submission));
}

int64_t stamp_in(const std::string& text) {
  int64_t ns = 0;
  const size_t digit = text.find_first_not_of('0');
  if (digit != std::string::npos)
    std::from_chars(text.data() + digit, text.data() + text.size(), ns);
  if (ns == 0) throw Failure("no stamp in '" + text + "'");
  return ns;
}

}  // namespace fabric::bench
