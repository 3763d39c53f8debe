// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value or an Error. Nothing in lib/ throws or exits; errors travel up as values, gain
// context on the way with in_context(), and are printed once, by the command (cmd/fabric/main).
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace fabric {

// The values up to `interrupted` are the exit codes of the program (docs: fabric(1), EXIT STATUS).
enum class ErrorCode : int {
  failed = 1,       // tried, and it did not work
  usage = 2,        // bad arguments or invalid configuration; nothing was changed
  not_found = 3,    // no such thing, or it is not running
  denied = 4,       // policy says no
  over_budget = 5,  //
  queue_full = 6,   //
  awaiting = 7,     // waits for an approval
  timed_out = 8,    // a deadline passed
  unavailable = 9,  // this machine cannot do it (message says how to mend that)
  nothing_to_do = 10,
  interrupted = 130,
};

struct Error {
  ErrorCode code = ErrorCode::failed;
  std::string message;  // what was tried, and why it failed; no trailing full stop
  std::string hint;     // one line: what to type or change next; may be empty
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string message,
                                                std::string hint = {}) {
  return tl::unexpected<Error>(Error{code, std::move(message), std::move(hint)});
}
[[nodiscard]] inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

// "what: strerror(error_number)".
[[nodiscard]] tl::unexpected<Error> fail_errno(int error_number, const std::string& what,
                                               std::string hint = {});

// Puts "context: " before the message of a failed result on its way up.
template <class T>
[[nodiscard]] Result<T> in_context(Result<T> result, const std::string& context) {
  if (!result) result.error().message = context + ": " + result.error().message;
  return result;
}

}  // namespace fabric

#define FABRIC_CONCAT_(a, b) a##b
#define FABRIC_CONCAT(a, b) FABRIC_CONCAT_(a, b)

// TRY(expr): the value of a Result, or return its error from the enclosing function. Nests.
#define TRY(...) FABRIC_TRY_(FABRIC_CONCAT(fabric_try_, __COUNTER__), __VA_ARGS__)
#define FABRIC_TRY_(name, ...)                                 \
  __extension__({                                              \
    auto&& name = (__VA_ARGS__);                               \
    if (!name) return ::fabric::fail(std::move(name).error()); \
    *std::move(name);                                          \
  })
// The same for Result<void>.
#define TRY_STATUS(...) FABRIC_TRY_STATUS_(FABRIC_CONCAT(fabric_try_, __COUNTER__), __VA_ARGS__)
#define FABRIC_TRY_STATUS_(name, ...)                          \
  do {                                                         \
    auto&& name = (__VA_ARGS__);                               \
    if (!name) return ::fabric::fail(std::move(name).error()); \
  } while (false)
