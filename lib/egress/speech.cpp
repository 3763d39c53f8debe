// SPDX-License-Identifier: Apache-2.0
#include "egress/speech.hpp"

#include <algorithm>

#include "egress/client_hello.hpp"

namespace fabric::egress {
namespace {

std::string shown(std::string_view text) {
  std::string out(text.substr(0, 100));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  return out;
}

}  // namespace

Speaker::State Speaker::refuse(std::string kind, std::string why) {
  kind_ = std::move(kind);
  why_ = std::move(why);
  held_.clear();
  return state_ = State::refused;
}

Speaker::State Speaker::feed(std::string_view bytes, std::string& out) {
  switch (state_) {
    case State::passes:
      out += bytes;
      return state_;
    case State::filtered:
      return http(bytes, out);
    case State::refused:
      return state_;
    case State::listening:
      break;
  }
  if (target_.address) {  // the rule names the address, not what is served there
    out += bytes;
    return state_ = State::passes;
  }
  held_ += bytes;
  if (speech_ == Speech::more) speech_ = recognise(held_);
  return recognised(out);
}

Speaker::State Speaker::recognised(std::string& out) {
  switch (speech_) {
    case Speech::more:
      if (!web_port()) pass_early(out);
      return state_;
    case Speech::tls:
      return hello(out);
    case Speech::http: {
      http_ = std::make_unique<HttpRequests>([this](HttpHead& head) -> std::optional<std::string> {
        return fits(head) ? std::optional(head.text()) : std::nullopt;
      });
      state_ = State::filtered;
      const std::string held = std::move(held_);
      held_.clear();
      return http(held, out);
    }
    case Speech::other:
      if (web_port())
        return refuse("connect", "neither TLS nor HTTP on port " + std::to_string(target_.port));
      pass_early(out);
      held_.clear();
      return state_ = State::passes;
  }
  return state_;
}

void Speaker::pass_early(std::string& out) {
  out.append(held_, early_);
  early_ = held_.size();
}

Speaker::State Speaker::hello(std::string& out) {
  const ClientHello hello = parse_client_hello(held_);
  if (hello.state == ClientHello::State::more) return state_;
  if (hello.state == ClientHello::State::bad) return refuse("sni", "a malformed TLS ClientHello");
  if (!hello.named && !exact_)
    return refuse("sni", "TLS without a server name, where a rule with '*' allows the name");
  if (hello.named) {
    said_ = shown(hello.server_name);
    const std::optional<Target> named = parse_target(hello.server_name, target_.port);
    if (!named || named->name != target_.name)
      return refuse("sni", "the TLS server name '" + said_ + "' is not '" + target_.name + "'");
  }
  pass_early(out);
  held_.clear();
  return state_ = State::passes;
}

bool Speaker::fits(HttpHead& head) {
  said_ = shown(head.host);
  const std::optional<Target> named = parse_target(head.host, target_.port);
  if (!named || named->name != target_.name || named->port != target_.port) {
    why_ = "the HTTP Host '" + said_ + "' is not '" + target_.name + "'";
    return false;
  }
  if (head.target.starts_with('/') || (head.target == "*" && head.method == "OPTIONS")) return true;
  constexpr std::string_view k_scheme = "http://";
  if (!equal_ignoring_case(head.target.substr(0, k_scheme.size()), k_scheme)) {
    why_ = "the HTTP request is for '" + shown(head.method + " " + head.target) + "'";
    return false;
  }
  // The server goes by this one, not by Host (RFC 9112, 3.2.2).
  const std::string authority = head.target.substr(
      k_scheme.size(), head.target.find_first_of("/?#", k_scheme.size()) - k_scheme.size());
  said_ = shown(authority);
  const std::optional<Target> absolute = parse_target(authority, 80);
  why_ = "the HTTP request is for '" + said_ + "', not '" + target_.name + "'";
  return absolute && absolute->name == target_.name && absolute->port == target_.port;
}

Speaker::State Speaker::http(std::string_view bytes, std::string& out) {
  std::string why, passed;
  why_.clear();
  if (http_->feed(bytes, passed, why)) {
    why_.clear();
    // What went early is the beginning of the request line, which goes on as it came.
    const size_t before = std::min(early_, passed.size());
    early_ -= before;
    out.append(passed, before);
    return state_ = http_->tunnel() ? State::passes : State::filtered;
  }
  return refuse("host_header", why.empty() ? why_ : why);
}

Speaker::State Speaker::ended(std::string& out) {
  if (state_ != State::listening || held_.empty()) return state_;
  if (speech_ == Speech::tls) return refuse("sni", "the TLS ClientHello is not whole");
  speech_ = Speech::other;
  return recognised(out);
}

Speaker::State Speaker::answered(bool switched, std::string& out) {
  std::string why;
  if (!http_ || http_->answered(switched, out, why))
    return http_ && http_->tunnel() ? state_ = State::passes : state_;
  return refuse("host_header", why.empty() ? why_ : why);
}

}  // namespace fabric::egress
