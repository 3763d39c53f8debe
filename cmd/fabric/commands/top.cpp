// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/screen.hpp"
#include "fabric/session.hpp"
#include "fabric/terminal.hpp"
#include "fabric/text.hpp"
#include "fabric/top_view.hpp"
#include "fabric/wakeups.hpp"

namespace fabric::cmd {
namespace {

// Live use does not ring the bell; a flood of changes must not flood a slow line.
constexpr Duration k_at_least = Duration::seconds(2);
constexpr Duration k_at_most = Duration::millis(200);
// A supervisor that has not answered for so long is shown as one that does not.
constexpr Duration k_silence = Duration::seconds(4);

class Top {
 public:
  explicit Top(config::Workspace workspace)
      : workspace_(std::move(workspace)), watch_(workspace_.control_socket()) {}

  Result<int> once() {
    const store::Store store = TRY(open_store(workspace_));
    usage_ = live_usage(workspace_);
    used_at_ = system_clock().monotonic();
    TRY_STATUS(look(store));
    std::string text;
    for (const std::string& line : top_lines(gatherer_.data(), {terminal_width(), 0}, first_))
      text += line + "\n";
    TRY_STATUS(print(text));
    return 0;
  }

  Result<int> live() {
    const store::Store store = TRY(open_store(workspace_));
    Wakeups wakeups =
        TRY(Wakeups::open(store, {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP}));
    Screen screen = TRY(Screen::open());
    keys_ = screen.has_keys() ? Wakeups::Keys::read : Wakeups::Keys::ignore;
    for (;;) {
      ask();
      TRY_STATUS(look(store));
      TRY_STATUS(draw(screen));
      const std::optional<int> code = TRY(sleep(screen, wakeups));
      if (code) return *code;
    }
  }

 private:
  Status look(const store::Store& store) {
    return gatherer_.look(workspace_, TRY(store.read()), usage_, used_at_, system_clock().now());
  }

  // The answer is taken when it comes: keys work while a supervisor does not answer.
  void ask() {
    const MonoTime now = system_clock().monotonic();
    if (watch_.fd() >= 0) {
      if (asked_at_ + k_silence <= now) take({});
    } else if (asked_at_.ns == 0 || asked_at_ + k_at_least <= now) {
      watch_.ask();
      asked_at_ = now;
      if (watch_.fd() < 0) take({});  // none runs
    }
    gatherer_.silent(watch_.fd() >= 0 && asked_at_ + k_silence <= now);
  }

  void take(LiveUsageList usage) {
    usage_ = std::move(usage);
    used_at_ = system_clock().monotonic();
  }

  Status draw(Screen& screen) {
    const Screen::Size size = screen.size();
    size_ = {size.columns, size.rows};
    drawn_at_ = system_clock().monotonic();
    return screen.show(top_lines(gatherer_.data(), size_, first_));
  }

  // Until it is time to look again. The exit code, when it is time to end.
  Result<std::optional<int>> sleep(Screen& screen, Wakeups& wakeups) {
    MonoTime due = drawn_at_ + k_at_least;
    for (;;) {
      const MonoTime now = system_clock().monotonic();
      if (due <= now) return std::optional<int>();
      const Wake wake = TRY(wakeups.wait(due - now, keys_, watch_.fd()));
      if (wake.output_gone) return fail(ErrorCode::failed, "", std::string(k_broken_pipe));
      if (wake.answer)
        if (auto usage = watch_.take()) {
          take(*std::move(usage));
          due = std::min(due, drawn_at_ + k_at_most);
        }
      if (wake.rang) due = std::min(due, drawn_at_ + k_at_most);
      if (wake.signal == SIGWINCH || wake.signal == SIGTSTP) {
        if (wake.signal == SIGTSTP) TRY_STATUS(stop(screen));
        screen.forget();
        TRY_STATUS(draw(screen));
      } else if (wake.signal != 0) {
        return std::optional(128 + wake.signal);
      }
      if (!wake.input) continue;
      for (const Key key : screen.read_keys())
        if (act(key, screen)) return std::optional(0);
      TRY_STATUS(screen.show(top_lines(gatherer_.data(), size_, first_)));
    }
  }

  // Job control: the shell has its terminal back meanwhile.
  static Status stop(Screen& screen) {
    screen.suspend();
    ::raise(SIGSTOP);
    return screen.resume();
  }

  // True: it is to end.
  bool act(Key key, Screen& screen) {
    const size_t page = std::max<size_t>(top_page(gatherer_.data(), size_), 1);
    switch (key) {
      case Key::up:
        first_ -= std::min<size_t>(first_, 1);
        break;
      case Key::down:
        first_ += 1;  // top_lines() corrects what is too far
        break;
      case Key::page_up:
        first_ -= std::min(first_, page);
        break;
      case Key::page_down:
        first_ += page;
        break;
      case Key::first:
        first_ = 0;
        break;
      case Key::last:
        first_ = gatherer_.data().workspace.agents.size();
        break;
      case Key::redraw:
        screen.forget();
        break;
      case Key::closed:
        keys_ = Wakeups::Keys::ignore;
        break;
      case Key::quit:
        return true;
      case Key::none:
        break;
    }
    return false;
  }

  const config::Workspace workspace_;
  TopGatherer gatherer_;
  UsageWatch watch_;
  LiveUsageList usage_;
  MonoTime asked_at_, used_at_, drawn_at_;
  TopSize size_;
  size_t first_ = 0;
  Wakeups::Keys keys_ = Wakeups::Keys::ignore;
};

bool can_draw() {
  const char* term = std::getenv("TERM");
  return is_terminal(Stream::out) && term && *term && std::string_view(term) != "dumb";
}

Result<int> run(const Arguments& arguments) {
  Top top(TRY(workspace_of(arguments)));
  return arguments.has("--once") || !can_draw() ? top.once() : top.live();
}

constexpr Option k_options[] = {
    {"--once", "", "",
     "Print it once, with every agent, and end. So it is where stdout is no terminal, too.",
     Takes::nothing}};
constexpr Example k_examples[] = {{"fabric top", "Watches the workspace until q is typed."},
                                  {"fabric top --once | head -30", "What it shows now, as text."}};

}  // namespace

const Command k_top_command{
    "top",
    Group::workspace,
    "watch agents, queue and events, live",
    "Shows the supervisor, the tasks and which of them are ready by priority, what is paused or "
    "waits because the machine is short, the agents with the busiest first, and the newest events. "
    "Drawn again when something changes, at most five times a second, and at least every two "
    "seconds for memory and processor use. Only lines that have changed are written, so it does on "
    "a slow line.\n\n"
    "RUNNING is how many tasks run at the agent, of how many that may. CPU is the use since the "
    "last look, in per cent of one core. Programs read fabric-status(1) and fabric-events(1) with "
    "--json instead.\n\n"
    "Keys: q ends it; j and k, or the arrows, scroll through the agents, space and b by pages, g "
    "and G to the first and the last; Ctrl-L draws everything anew.",
    {},
    k_options,
    {},
    k_examples,
    nullptr,
    run};

}  // namespace fabric::cmd
