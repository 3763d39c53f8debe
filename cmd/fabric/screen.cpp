// SPDX-License-Identifier: Apache-2.0
#include "fabric/screen.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/fd.hpp"
#include "fabric/output.hpp"

namespace fabric::cmd {
namespace {

// Alternate screen; no cursor; lines that are too long are cut, not wrapped.
constexpr std::string_view k_enter = "\x1b[?1049h\x1b[?25l\x1b[?7l";
constexpr std::string_view k_leave = "\x1b[?7h\x1b[?25h\x1b[?1049l";

constexpr std::pair<std::string_view, Key> k_keys[] = {
    {"\x1b[A", Key::up},       {"\x1bOA", Key::up},    {"k", Key::up},
    {"\x1b[B", Key::down},     {"\x1bOB", Key::down},  {"j", Key::down},
    {"\x1b[5~", Key::page_up}, {"b", Key::page_up},    {"\x1b[6~", Key::page_down},
    {" ", Key::page_down},     {"\x1b[H", Key::first}, {"\x1bOH", Key::first},
    {"\x1b[1~", Key::first},   {"g", Key::first},      {"\x1b[F", Key::last},
    {"\x1bOF", Key::last},     {"\x1b[4~", Key::last}, {"G", Key::last},
    {"\x0c", Key::redraw},     {"q", Key::quit},       {"Q", Key::quit}};

// Length of the escape sequence at the start of `input`, also of one that we do not know.
size_t escape_length(std::string_view input) {
  if (input.size() < 2) return input.size();
  if (input[1] == 'O') return input.size() < 3 ? input.size() : 3;
  if (input[1] != '[') return 1;
  size_t i = 2;
  while (i < input.size() && (input[i] < 0x40 || input[i] > 0x7e)) ++i;
  return i < input.size() ? i + 1 : i;
}

}  // namespace

Key take_key(std::string& input) {
  while (!input.empty()) {
    const size_t length = input[0] == '\x1b' ? escape_length(input) : 1;
    const std::string_view sequence = std::string_view(input).substr(0, length);
    Key key = Key::none;
    for (const auto& [text, known] : k_keys)
      if (text == sequence) key = known;
    input.erase(0, length);
    if (key != Key::none) return key;
  }
  return Key::none;
}

Result<Screen> Screen::open() {
  Screen screen;
  TRY_STATUS(screen.resume());
  return screen;
}

Screen::Screen(Screen&& other) noexcept
    : active_(std::exchange(other.active_, false)),
      clear_(other.clear_),
      before_(other.before_),
      shown_(std::move(other.shown_)),
      input_(std::move(other.input_)) {}

Screen::~Screen() { suspend(); }

Status Screen::resume() {
  termios now{};
  before_.reset();
  if (::tcgetattr(STDIN_FILENO, &now) == 0) {
    before_ = now;
    // Ctrl-C and Ctrl-Z stay signals.
    now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    now.c_cc[VMIN] = 0;
    now.c_cc[VTIME] = 0;
    if (::tcsetattr(STDIN_FILENO, TCSANOW, &now) != 0) before_.reset();
  }
  active_ = true;
  forget();
  return print(k_enter);
}

void Screen::suspend() {
  if (!std::exchange(active_, false)) return;
  static_cast<void>(write_all(STDOUT_FILENO, k_leave));
  if (before_) ::tcsetattr(STDIN_FILENO, TCSANOW, &*before_);
}

Screen::Size Screen::size() const {
  winsize window{};
  Size size;
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0) return size;
  if (window.ws_col > 0) size.columns = window.ws_col;
  if (window.ws_row > 0) size.rows = window.ws_row;
  return size;
}

Status Screen::show(const std::vector<std::string>& lines) {
  std::string out;
  if (std::exchange(clear_, false)) out += "\x1b[2J";
  for (size_t i = 0; i < std::max(lines.size(), shown_.size()); ++i) {
    const std::string line = i < lines.size() ? lines[i] : std::string();
    if (i < shown_.size() && shown_[i] == line) continue;
    out += "\x1b[" + std::to_string(i + 1) + ";1H" + line + "\x1b[K";
  }
  shown_ = lines;
  return out.empty() ? Status() : print(out);
}

std::vector<Key> Screen::read_keys() {
  std::array<char, 256> buffer{};
  const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
  if (n <= 0) return {Key::closed};
  input_.append(buffer.data(), static_cast<size_t>(n));
  std::vector<Key> keys;
  for (Key key = take_key(input_); key != Key::none; key = take_key(input_)) keys.push_back(key);
  return keys;
}

}  // namespace fabric::cmd
