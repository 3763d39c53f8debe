// SPDX-License-Identifier: Apache-2.0
// What a program asks of a proxy before anything is passed on: CONNECT and absolute-form requests
// (RFC 9110, 9.3.6; RFC 9112, 3.2.2), SOCKS5.
#include <sys/socket.h>

#include <cerrno>

#include "egress/answers.hpp"
#include "egress/flow.hpp"

namespace fabric::egress {

void Flow::ask() {
  char buffer[16384];
  while (phase_ == Phase::asking) {
    const ssize_t n = ::recv(client_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return n == 0 && asked_.empty() ? close() : abort();
    asked_.append(buffer, static_cast<size_t>(n));
    entry_ == Entry::socks ? ask_socks() : ask_http();
  }
}

void Flow::ask_socks() {
  std::string answer;
  const Socks5::State state = socks_.feed(asked_, answer);
  if (state == Socks5::State::bad) return say_farewell(answer);
  if (!answer.empty())
    ::send(client_.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (state != Socks5::State::complete) return;
  // Nobody who waits for the answer has sent more: it could not be told apart from what follows.
  if (!asked_.empty()) return say_farewell(Socks5::reply(SocksReply::failed));
  begin(socks_.target());
}

void Flow::ask_http() {
  HttpHead head;
  std::string why;
  const HttpState state = parse_http_head(asked_, head, why);
  if (state == HttpState::more) return;
  if (state == HttpState::bad) return say_farewell(http_answer(400, why, "", ""));
  if (head.method == "CONNECT") {
    const std::optional<Target> target =
        head.target.find(':') == std::string::npos ? std::nullopt : parse_target(head.target, 0);
    if (!target) return say_farewell(http_answer(400, "CONNECT needs HOST:PORT", "", ""));
    if (asked_.size() != head.size || head.body != HttpHead::Body::none)
      return say_farewell(http_answer(400, "data before CONNECT was answered", "", ""));
    answer_on_connect_ = http_established();
    return begin(*target);
  }
  constexpr std::string_view k_scheme = "http://";
  if (!equal_ignoring_case(head.target.substr(0, k_scheme.size()), k_scheme))
    return say_farewell(
        http_answer(400, "this is a proxy: write http://HOST/PATH, or CONNECT for https", "", ""));
  const size_t end =
      std::min(head.target.find_first_of("/?#", k_scheme.size()), head.target.size());
  const std::optional<Target> target =
      parse_target(head.target.substr(k_scheme.size(), end - k_scheme.size()), 80);
  if (!target) return say_farewell(http_answer(400, "the request names no valid host", "", ""));
  std::string path = head.target.substr(end);
  if (!path.starts_with('/')) path.insert(0, 1, '/');
  head.target = std::move(path);
  forward(std::move(head), *target);
}

// One request to one host, in origin form. The next may be for another one, so the connection is
// over with its answer.
void Flow::forward(HttpHead head, const Target& target) {
  const size_t size = head.size;
  for (const char* name : {"host", "connection", "proxy-connection", "proxy-authorization",
                           "keep-alive", "upgrade", "http2-settings", "te"})
    head.remove(name);
  const std::string authority =
      target.port == 80 ? target.name : target.name + ":" + std::to_string(target.port);
  const bool v6 = target.address && !target.address->is_v4();
  head.headers.insert(
      head.headers.begin(),
      {"Host", v6 ? "[" + target.name + "]:" + std::to_string(target.port) : authority});
  head.headers.emplace_back("Connection", "close");
  const std::string request = head.text() + asked_.substr(size);
  asked_.clear();
  if (const Injection* injection = host_.injection(target.name);
      injection != nullptr && target.port == 80) {
    engine_.loop.forget(client_.get());
    host_.hand_to_injection(*injection, std::move(client_), request);
    return close();
  }
  begin(target);
  if (phase_ != Phase::passing) return;
  std::string out;
  if (speaker_->feed(request, out) == Speaker::State::refused) return speech_refused();
  up_.prepend(std::move(out));
}

}  // namespace fabric::egress
