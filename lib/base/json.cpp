// SPDX-License-Identifier: Apache-2.0
#include "base/json.hpp"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace fabric::json {
namespace {

using rapidjson::MemoryStream;
using rapidjson::Reader;
using rapidjson::SizeType;

constexpr unsigned k_flags = rapidjson::kParseIterativeFlag |
                             rapidjson::kParseValidateEncodingFlag |
                             rapidjson::kParseNumbersAsStringsFlag;

// Passes events on and stops when nesting goes too deep or text is not Unicode.
template <class Next>
class Guard {
 public:
  explicit Guard(Next& next) : next_(next) {}
  bool Null() { return next_.Null(); }
  bool Bool(bool b) { return next_.Bool(b); }
  bool Int(int i) { return next_.Int(i); }
  bool Uint(unsigned u) { return next_.Uint(u); }
  bool Int64(int64_t i) { return next_.Int64(i); }
  bool Uint64(uint64_t u) { return next_.Uint64(u); }
  bool Double(double d) { return next_.Double(d); }
  // RapidJSON's own conversion reads "0e53" as 20769187434139310514121985316880384.
  bool RawNumber(const char* s, SizeType n, bool) { return number({s, n}); }
  bool String(const char* s, SizeType n, bool copy) {
    return no_surrogate({s, n}) && next_.String(s, n, copy);
  }
  bool Key(const char* s, SizeType n, bool copy) {
    return no_surrogate({s, n}) && next_.Key(s, n, copy);
  }
  bool StartObject() { return ++depth_ <= k_max_depth && next_.StartObject(); }
  bool EndObject(SizeType n) { return --depth_ >= 0 && next_.EndObject(n); }
  bool StartArray() { return ++depth_ <= k_max_depth && next_.StartArray(); }
  bool EndArray(SizeType n) { return --depth_ >= 0 && next_.EndArray(n); }
  [[nodiscard]] bool found_surrogate() const { return found_surrogate_; }
  [[nodiscard]] bool found_too_big() const { return found_too_big_; }

 private:
  template <class T>
  static bool read(std::string_view text, T& out) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size();
  }
  bool number(std::string_view text) {
    int64_t whole = 0;
    uint64_t large = 0;
    double real = 0;
    if (read(text, whole)) return next_.Int64(whole);
    if (read(text, large)) return next_.Uint64(large);
    if (read(text, real)) return next_.Double(real);
    // Out of range: too small is 0, too big is an error. More than a long double holds, RapidJSON
    // has refused already.
    long double wide = 0;
    found_too_big_ = read(text, wide) && std::fabs(wide) > 1;
    return !found_too_big_ && next_.Double(text.starts_with('-') ? -0.0 : 0.0);
  }
  // RapidJSON takes "\udc00" without its first half and makes bytes of it that are not UTF-8.
  bool no_surrogate(std::string_view s) {
    for (size_t i = s.find('\xed'); i != std::string_view::npos; i = s.find('\xed', i + 1))
      if (i + 1 < s.size() && static_cast<unsigned char>(s[i + 1]) >= 0xa0) found_surrogate_ = true;
    return !found_surrogate_;
  }
  Next& next_;
  bool found_surrogate_ = false;
  bool found_too_big_ = false;
  int depth_ = 0;
};

// Reads the whole of `text`. RapidJSON takes a NUL byte for the end of its input: what follows one
// would pass unseen.
template <class Handler>
rapidjson::ParseResult read(Reader& reader, std::string_view text, Handler& handler) {
  MemoryStream stream(text.data(), text.size());
  Guard<Handler> limited(handler);
  rapidjson::ParseResult result = reader.Parse<k_flags>(stream, limited);
  if (limited.found_surrogate())
    result.Set(rapidjson::kParseErrorStringUnicodeSurrogateInvalid, stream.Tell());
  if (limited.found_too_big()) result.Set(rapidjson::kParseErrorNumberTooBig, stream.Tell());
  if (!result.IsError() && stream.Tell() != text.size())
    result.Set(rapidjson::kParseErrorDocumentRootNotSingular, stream.Tell());
  return result;
}

// Lets Document::Populate read from text through the guard.
class Generator {
 public:
  explicit Generator(std::string_view text) : text_(text) {}
  template <class Handler>
  bool operator()(Handler& handler) {
    result = read(reader_, text_, handler);
    return !result.IsError();
  }
  rapidjson::ParseResult result;

 private:
  std::string_view text_;
  Reader reader_;
};

tl::unexpected<Error> parse_error(std::string_view text, const rapidjson::ParseResult& result) {
  size_t offset = std::min(result.Offset(), text.size());
  std::string_view before = text.substr(0, offset);
  auto line = std::count(before.begin(), before.end(), '\n') + 1;
  size_t line_start = before.rfind('\n');
  size_t column = offset - (line_start == std::string_view::npos ? 0 : line_start + 1) + 1;
  std::string what = result.Code() == rapidjson::kParseErrorTermination
                         ? "nested deeper than " + std::to_string(k_max_depth) + " levels"
                         : rapidjson::GetParseError_En(result.Code());
  if (what.ends_with('.')) what.pop_back();
  return fail(ErrorCode::usage, "invalid JSON at " + std::to_string(line) + ":" +
                                    std::to_string(column) + ": " + what);
}

// Finds the span of the value at a path of keys, in one pass however deep it is.
class PathSpan : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, PathSpan> {
 public:
  PathSpan(std::span<const std::string_view> path, const MemoryStream& stream)
      : path_(path), stream_(stream) {}
  bool Default() { return value_done(); }
  bool String(const char*, SizeType, bool) { return value_done(); }
  bool Key(const char* s, SizeType n, bool) {
    if (depth_ != entered_ + 1) return true;
    named_ = std::string_view(s, n) == path_[entered_];
    if (!named_) return true;
    begin = end = 0;  // a member before it of the same name no longer counts
    wanted_ = depth_ == path_.size();
    if (wanted_) begin = stream_.Tell();
    return true;
  }
  bool StartObject() {
    if (named_ && !wanted_ && depth_ == entered_ + 1) ++entered_;
    return open();
  }
  bool StartArray() { return open(); }
  bool EndObject(SizeType) {
    if (entered_ > 0 && depth_ == entered_ + 1) --entered_;
    return close();
  }
  bool EndArray(SizeType) { return close(); }

  size_t begin = 0;
  size_t end = 0;

 private:
  bool open() {
    named_ = false;
    ++depth_;
    return true;
  }
  bool close() {
    --depth_;
    return value_done(1);  // the reader tells us before it takes the bracket
  }
  bool value_done(size_t more = 0) {
    named_ = false;
    if (wanted_ && depth_ == path_.size()) {
      end = stream_.Tell() + more;
      wanted_ = false;
    }
    return true;
  }
  std::span<const std::string_view> path_;
  const MemoryStream& stream_;
  size_t depth_ = 0;
  size_t entered_ = 0;   // objects on the path that we are in, below the top-level one
  bool named_ = false;   // the next value is that of the next key of the path ...
  bool wanted_ = false;  // ... which is the last
};

// Length of the valid UTF-8 sequence at the front of `s`, or 0.
size_t utf8_length(std::string_view s) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(s[i]); };
  auto tail = [&](size_t i) { return i < s.size() && (byte(i) & 0xc0) == 0x80; };
  unsigned char c = byte(0);
  if (c < 0x80) return 1;
  if (c >= 0xc2 && c <= 0xdf) return tail(1) ? 2 : 0;
  if (c >= 0xe0 && c <= 0xef) {
    if (!tail(1) || !tail(2)) return 0;
    if (c == 0xe0 && byte(1) < 0xa0) return 0;
    if (c == 0xed && byte(1) > 0x9f) return 0;
    return 3;
  }
  if (c >= 0xf0 && c <= 0xf4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (c == 0xf0 && byte(1) < 0x90) return 0;
    if (c == 0xf4 && byte(1) > 0x8f) return 0;
    return 4;
  }
  return 0;
}

}  // namespace

Result<Document> parse(std::string_view text) {
  Document document;
  Generator generator(text);
  document.Populate(generator);
  if (generator.result.IsError()) return parse_error(text, generator.result);
  return document;
}

Status validate(std::string_view text) {
  Reader reader;
  rapidjson::BaseReaderHandler<> nothing;
  auto result = read(reader, text, nothing);
  if (result.IsError()) return parse_error(text, result);
  return {};
}

std::string_view raw_at(std::string_view text, std::span<const std::string_view> path) {
  Reader reader;
  MemoryStream stream(text.data(), text.size());
  PathSpan span(path, stream);
  reader.Parse<k_flags>(stream, span);
  if (span.end <= span.begin) return {};
  std::string_view raw = text.substr(span.begin, span.end - span.begin);
  size_t start = raw.find_first_not_of(" \t\r\n:");
  return start == std::string_view::npos ? std::string_view{} : raw.substr(start);
}

std::string_view raw_member(std::string_view text, std::string_view key) {
  return raw_at(text, {&key, 1});
}

const Value* find(const Value& object, std::string_view key) {
  if (!object.IsObject()) return nullptr;
  for (auto it = object.MemberEnd(); it != object.MemberBegin();) {
    --it;
    if (text_of(it->name) == key) return &it->value;
  }
  return nullptr;
}

std::optional<std::string_view> get_string(const Value& object, std::string_view key) {
  const Value* v = find(object, key);
  if (!v || !v->IsString()) return std::nullopt;
  return text_of(*v);
}

std::optional<int64_t> get_int(const Value& object, std::string_view key) {
  const Value* v = find(object, key);
  if (!v || !v->IsInt64()) return std::nullopt;
  return v->GetInt64();
}

std::optional<double> get_number(const Value& object, std::string_view key) {
  const Value* v = find(object, key);
  if (!v || !v->IsNumber()) return std::nullopt;
  return v->GetDouble();
}

std::optional<bool> get_bool(const Value& object, std::string_view key) {
  const Value* v = find(object, key);
  if (!v || !v->IsBool()) return std::nullopt;
  return v->GetBool();
}

std::string to_text(const Value& value) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  value.Accept(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

void append_quoted(std::string& out, std::string_view text) {
  static constexpr char k_hex[] = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text[0]);
    size_t length = 1;
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c < 0x20 || c == 0x7f) {
      out += "\\u00";
      out += k_hex[c >> 4];
      out += k_hex[c & 15];
    } else if ((length = utf8_length(text)) == 0) {
      out += "\xef\xbf\xbd";
      length = 1;
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  out += '"';
}

void Writer::separate() {
  if (need_comma_) out_ += ',';
  need_comma_ = true;
}
Writer& Writer::begin_object() {
  separate();
  out_ += '{';
  need_comma_ = false;
  return *this;
}
Writer& Writer::end_object() {
  out_ += '}';
  need_comma_ = true;
  return *this;
}
Writer& Writer::begin_array() {
  separate();
  out_ += '[';
  need_comma_ = false;
  return *this;
}
Writer& Writer::end_array() {
  out_ += ']';
  need_comma_ = true;
  return *this;
}
Writer& Writer::key(std::string_view name) {
  separate();
  append_quoted(out_, name);
  out_ += ':';
  need_comma_ = false;
  return *this;
}
Writer& Writer::string(std::string_view value) {
  separate();
  append_quoted(out_, value);
  return *this;
}
Writer& Writer::integer(int64_t value) {
  separate();
  out_ += std::to_string(value);
  return *this;
}
Writer& Writer::number(double value) {
  if (!std::isfinite(value)) return null();
  separate();
  char buffer[32];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  out_.append(buffer, end);
  return *this;
}
Writer& Writer::boolean(bool value) {
  separate();
  out_ += value ? "true" : "false";
  return *this;
}
Writer& Writer::null() {
  separate();
  out_ += "null";
  return *this;
}
Writer& Writer::raw(std::string_view json) {
  separate();
  out_.append(json);
  return *this;
}

}  // namespace fabric::json
