// SPDX-License-Identifier: Apache-2.0
#include "fabric/terminal.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>

#include "base/fd.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {

bool is_terminal(Stream stream) { return ::isatty(static_cast<int>(stream)) == 1; }

size_t terminal_width() {
  if (!is_terminal(Stream::out)) return 0;
  if (const char* text = std::getenv("COLUMNS")) {
    const std::string_view columns(text);
    size_t width = 0;
    const auto [end, error] =
        std::from_chars(columns.data(), columns.data() + columns.size(), width);
    if (error == std::errc{} && end == columns.data() + columns.size() && width > 0) return width;
  }
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

bool has_colour(Stream stream) {
  if (!is_terminal(stream)) return false;
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color && *no_color) return false;
  const char* term = std::getenv("TERM");
  return term && *term && std::string_view(term) != "dumb";
}

std::string coloured(std::string_view text, Colour colour, Stream stream) {
  if (colour == Colour::none || !has_colour(stream)) return std::string(text);
  return "\x1b[" + std::to_string(static_cast<int>(colour)) + "m" + std::string(text) + "\x1b[0m";
}

void reserve_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // Read-only on 1 and 2: a write must still fail, and be reported.
    const int opened = ::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);  // NOLINT: inherited
    if (opened >= 0 && opened != fd) ::close(opened);
  }
}

Progress::Progress() : active_(is_terminal(Stream::err)) {
  const char* term = std::getenv("TERM");
  if (!term || std::string_view(term) == "dumb") active_ = false;
}

Progress::~Progress() {
  if (shown_) static_cast<void>(write_all(STDERR_FILENO, "\r\x1b[K"));
}

void Progress::show(std::string_view line) {
  if (!active_) return;
  shown_ = true;
  static_cast<void>(write_all(STDERR_FILENO, "\r\x1b[K" + fit(printable(line), 79)));
}

}  // namespace fabric::cmd
