// SPDX-License-Identifier: Apache-2.0
// The whole terminal, for a view that is drawn again and again: alternate screen, no echo, no
// cursor. Everything is as before when it is gone. Plain ANSI. One thread; at most one at a time.
#pragma once

#include <termios.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace fabric::cmd {

enum class Key : int { none, up, down, page_up, page_down, first, last, redraw, quit, closed };

// The first key in what a terminal sent, taken off `input`; none when nothing is left. What means
// nothing here is dropped.
Key take_key(std::string& input);

class Screen {
 public:
  // stdout is a terminal.
  static Result<Screen> open();
  Screen(Screen&& other) noexcept;
  Screen& operator=(Screen&&) = delete;
  ~Screen();

  struct Size {
    size_t columns = 80, rows = 24;
  };
  [[nodiscard]] Size size() const;
  // Writes only the lines that are not there already. No line may be wider than the screen.
  Status show(const std::vector<std::string>& lines);
  // The next show() writes everything.
  void forget() { shown_.clear(), clear_ = true; }
  // Keys can be read: stdin is a terminal.
  [[nodiscard]] bool has_keys() const { return before_.has_value(); }
  // Once stdin has something; `closed` when it never will again.
  std::vector<Key> read_keys();
  // Gives the terminal back until resume(), for a stop by job control.
  void suspend();
  Status resume();

 private:
  Screen() = default;
  bool active_ = false;
  bool clear_ = true;
  std::optional<termios> before_;
  std::vector<std::string> shown_;
  std::string input_;
};

}  // namespace fabric::cmd
