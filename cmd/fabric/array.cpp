// SPDX-License-Identifier: Apache-2.0
#include "fabric/array.hpp"

#include <algorithm>
#include <charconv>

#include "base/id.hpp"
#include "base/json.hpp"
#include "fabric/json_strings.hpp"
#include "fabric/line_reader.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

tl::unexpected<Error> bad_array(std::string_view text) {
  return fail(ErrorCode::usage, "--array: invalid numbers '" + printable(text.substr(0, 60)) + "'",
              "numbers are at most 999999999; write for example 1-1000, 1-10:2, 1,5,9 or @FILE");
}

bool read_number(std::string_view text, uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && number <= 999999999;
}

// The text of a string in JSON, without its quotes.
std::string escaped(std::string_view text) {
  std::string quoted;
  json::append_quoted(quoted, text);
  return quoted.substr(1, quoted.size() - 2);
}

Status too_many() {
  return fail(ErrorCode::usage, "--array: more than " + std::to_string(k_most_items) + " tasks",
              "make several arrays of them");
}

}  // namespace

Result<std::vector<uint64_t>> parse_array(std::string_view text) {
  std::vector<uint64_t> numbers;
  for (std::string_view part : split(text, ',')) {
    uint64_t first = 0;
    uint64_t last = 0;
    uint64_t step = 1;
    const size_t colon = part.find(':');
    const std::string_view range = part.substr(0, colon);
    const size_t dash = range.find('-');
    bool good = read_number(range.substr(0, dash), first);
    last = first;
    if (dash != std::string_view::npos) good = good && read_number(range.substr(dash + 1), last);
    if (colon != std::string_view::npos)
      good = good && dash != std::string_view::npos && read_number(part.substr(colon + 1), step);
    if (!good || last < first || step == 0) return bad_array(text);
    if ((last - first) / step + 1 + numbers.size() > k_most_items) return fail(too_many().error());
    for (uint64_t n = first; n <= last; n += step) numbers.push_back(n);
  }
  std::vector<uint64_t> sorted = numbers;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end())
    return fail(ErrorCode::usage, "--array: " + std::to_string(*twice) + " is named twice");
  return numbers;
}

ItemTemplate::ItemTemplate(std::string line) : line_(std::move(line)) {
  // In the order of task_line().
  const std::string_view whole = line_;
  add_strings(json::raw_member(whole, "metadata"), false);
  add_strings(json::raw_member(whole, "payload"), true);
  add(line_.size());
}

void ItemTemplate::add(size_t until) {
  parts_.push_back({Part::Kind::verbatim, line_.substr(done_, until - done_)});
  done_ = until;
}

void ItemTemplate::add_strings(std::string_view region, bool values) {
  if (region.empty()) return;
  const auto start = static_cast<size_t>(region.data() - line_.data());
  for_each_string_value(region, [&](size_t at, size_t length) {
    const std::string_view string = region.substr(at, length);
    if (values && string == k_placeholder) {
      add(start + at - 1);  // the quotes go with it
      parts_.push_back({Part::Kind::value, {}});
      done_ = start + at + length + 1;
      return;
    }
    for (size_t found = string.find(k_placeholder); found != std::string_view::npos;
         found = string.find(k_placeholder, found + k_placeholder.size())) {
      add(start + at + found);
      parts_.push_back({Part::Kind::text, {}});
      done_ += k_placeholder.size();
    }
  });
}

std::string ItemTemplate::expand(const std::string& item) const {
  std::string as_value = item;
  std::string as_text = item;
  if (const auto parsed = json::parse(item)) {
    if (parsed->IsString()) as_text = json::text_of(*parsed);
  } else {
    as_value.clear();
    json::append_quoted(as_value, item);
  }
  as_text = escaped(as_text);
  std::string line;
  for (const Part& part : parts_)
    line += part.kind == Part::Kind::verbatim ? part.text
            : part.kind == Part::Kind::value  ? as_value
                                              : as_text;
  return line;
}

Status for_each_array_slice(const ArrayOptions& options, size_t most_lines, const Submit& submit) {
  const ItemTemplate shape(options.line);
  Slices slices(most_lines, submit);
  size_t count = 0;
  const auto add = [&](uint64_t number, const std::string& item) -> Status {
    if (++count > k_most_items) return too_many();
    const std::string id = options.group + "." + std::to_string(number);
    TRY_STATUS(in_context(check_id(id, "task id"), "--array"));
    json::Writer w;
    w.begin_object().field("id", id).field("group", options.group);
    // What follows the brace of the line: it is never empty.
    return slices.add(w.take() + "," + shape.expand(item).substr(1), count);
  };
  if (!options.items.starts_with('@')) {
    for (uint64_t number : TRY(parse_array(options.items)))
      TRY_STATUS(add(number, std::to_string(number)));
    return slices.finish();
  }
  LineReader reader = TRY(in_context(LineReader::open(options.items.substr(1)), "--array"));
  std::string line;
  for (uint64_t number = 0; TRY(reader.next(line));) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    TRY_STATUS(add(++number, line));
  }
  return slices.finish();
}

}  // namespace fabric::cmd
