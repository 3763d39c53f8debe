// SPDX-License-Identifier: Apache-2.0
// Results of other tasks in the payload of a task. In the string values of a payload (not in its
// keys) there is one reference:
//
//   {tasks.ID.result}  or  {tasks.ID.result.KEY[.KEY...]}   KEY of [A-Za-z0-9_-]
//
// Ids may contain dots: the id ends at the FIRST ".result" that "." or "}" follows. So every key of
// a result can be reached ({tasks.a.result.result} is the key "result" of task a), and a task whose
// own id has such a part ("x.result", "x.result.y") cannot be referred to.
//
// A reference is written as it stands here. Spelled with a JSON escape (\u007btasks. ...) it is
// literal text: that is how a payload contains the text itself.
//
// Pure. Time is linear in the payload and, for each reference, in the result that it names.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fabric {

constexpr size_t k_max_references = 1024;  // of one payload, repeated ones counted

// The ids, each once, in the order of their first mention. A usage error when the payload has
// references but is no JSON, has too many of them, or a text that begins as one ("{tasks.") but is
// none. A payload without that text costs one search.
Result<std::vector<std::string>> referenced_tasks(std::string_view payload_json);

// What a task printed or answered; called once for each id, in the order of referenced_tasks(). Its
// error is returned as it is.
using ResultOf = std::function<Result<std::string>(std::string_view id)>;

// A string that is exactly one reference becomes the value referred to, of any type, verbatim (its
// numbers keep every digit). Within a longer string, a string is inserted as it is and any other
// value as its JSON text. A result that is not JSON counts as a string, without one newline at its
// end; bytes of it that are not UTF-8 become U+FFFD. Everything else of the payload stays verbatim,
// and what was inserted is not looked at again: expand what was submitted, never what this
// returned.
// Fails (ErrorCode::usage) as referenced_tasks() does, on a key that the result lacks or that is
// looked for in a result that is not JSON, and beyond k_max_payload bytes or json::k_max_depth.
Result<std::string> expand_references(std::string_view payload_json, const ResultOf& result_of);

}  // namespace fabric
