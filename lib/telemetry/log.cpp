// SPDX-License-Identifier: Apache-2.0
// The only file that includes spdlog.
#include "telemetry/log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <mutex>

#define SPDLOG_PREVENT_CHILD_FD
#include <spdlog/logger.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "base/fd.hpp"
#include "telemetry/log_line.hpp"

namespace fabric::log {
namespace {

struct Target {
  std::shared_ptr<spdlog::logger> logger;  // null: nowhere
  Level least = Level::info;
  bool json = false;
  Colour colour = Colour::no;
};

std::mutex& mutex() {
  static std::mutex m;
  return m;
}

// Never destroyed: threads may log while the program ends.
Target& target() {
  static Target* t = new Target;
  return *t;
}

spdlog::level::level_enum level_of(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// spdlog opens files by name with mode 0644; made here first, they are private from the start.
Status make_private(const std::string& path) {
  const Fd file = TRY(open_file(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (::fchmod(file.get(), 0600) != 0) return fail_errno(errno, path);
  return {};
}

void install(spdlog::sink_ptr sink, Level least, bool json, Colour colour) {
  auto logger = std::make_shared<spdlog::logger>("fabric", std::move(sink));
  logger->set_pattern("%v");
  logger->set_level(level_of(least));
  logger->flush_on(spdlog::level::debug);
  // A full disk must not stop the supervisor, nor fill standard error.
  logger->set_error_handler([](const std::string&) {});
  const std::lock_guard lock(mutex());
  target() = {std::move(logger), least, json, colour};
}

}  // namespace

Status to_file(const std::string& path, Level least, size_t rotate_at) {
  TRY_STATUS(make_private(path));
  spdlog::file_event_handlers handlers;
  handlers.before_open = [](const std::string& name) { (void)make_private(name); };
  try {
    install(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(path, rotate_at, k_old_files,
                                                                   false, handlers),
            least, true, Colour::no);
  } catch (const std::exception& e) {
    return fail(ErrorCode::failed, "opening the log " + path + ": " + e.what());
  }
  return {};
}

void to_stderr(Level least) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool colour = ::isatty(STDERR_FILENO) == 1 && !(no_colour && *no_colour) &&
                      !(terminal && std::string_view(terminal) == "dumb");
  install(std::make_shared<spdlog::sinks::stderr_sink_mt>(), least, false,
          colour ? Colour::yes : Colour::no);
}

void close() {
  const std::lock_guard lock(mutex());
  target() = {};
}

void write(Level level, std::string_view message, Fields fields) {
  Target now;
  {
    const std::lock_guard lock(mutex());
    now = target();
  }
  if (!now.logger || level < now.least) return;
  const WallTime time = system_clock().now();
  const std::string line = now.json ? json_line(time, level, message, fields)
                                    : text_line(time, level, message, fields, now.colour);
  now.logger->log(level_of(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace fabric::log
