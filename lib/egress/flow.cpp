// SPDX-License-Identifier: Apache-2.0
#include "egress/flow.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "egress/answers.hpp"

namespace fabric::egress {
namespace {

constexpr size_t k_turn = 1 << 20;  // bytes that one direction moves before others have their turn
constexpr size_t k_buffer = 65536;  // of what must be read before it goes on
constexpr Duration k_first_words = Duration::seconds(10);  // once begun
constexpr Duration k_silence = Duration::seconds(60);      // before anything was said
constexpr Duration k_idle = Duration::seconds(900), k_idle_half = Duration::seconds(120),
                   k_last_words = Duration::seconds(2);

}  // namespace

Flow::Flow(Engine& engine, Host& host, Entry entry, Fd client)
    : engine_(engine),
      host_(host),
      entry_(entry),
      client_(std::move(client)),
      started_(engine.loop.now()),
      active_(started_) {}

Flow::~Flow() {
  if (client_) engine_.loop.forget(client_.get());
  if (server_) engine_.loop.forget(server_.get());
}

void Flow::watch(const Fd& fd) {
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // Edge-triggered: a side that is not read for a while must not keep the loop awake.
  engine_.loop.watch(fd.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                     [this](uint32_t) { pump(); });
}

void Flow::start_transparent(const Target& target) {
  watch(client_);
  begin(target);
}

void Flow::start_proxy() { watch(client_); }

void Flow::start_publish(Fd outside, const std::string& as) {
  phase_ = Phase::passing;
  server_ = std::move(outside);
  meter_ = host_.meter(as);
  ++meter_->connections;
  watch(client_);
  watch(server_);
}

void Flow::begin(const Target& target) {
  target_ = target;
  if (const Injection* injection = host_.injection(target.name);
      injection != nullptr && target.port == 80) {
    const std::string answer = entry_ == Entry::socks ? Socks5::reply(SocksReply::succeeded)
                                                      : std::exchange(answer_on_connect_, {});
    ::send(client_.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    engine_.loop.forget(client_.get());
    host_.hand_to_injection(*injection, std::move(client_), "");
    return close();
  }
  const std::vector<Address>& own = engine_.resolver.own_addresses();
  decision_ = target.address ? host_.rules().literal(*target.address, target.port, own)
                             : host_.rules().name(target.name, target.port);
  phase_ = Phase::passing;
  started_ = engine_.loop.now();
  if (!decision_.allowed) {
    const std::string why = decision_.rule.empty() ? "no rule allows " : "a rule forbids ";
    return refuse("connect", {why + target.name + " on port " + std::to_string(target.port),
                              decision_.rule, decision_.allow});
  }
  meter_ = host_.meter(target.name);
  ++meter_->connections;
  speaker_ = std::make_unique<Speaker>(target, decision_.exact);
  dial_ = std::make_shared<Dial>(engine_, host_, target, decision_);
  dial_->start([this](Fd server, const Dial::Failure& failure) {
    if (phase_ != Phase::passing) return;
    server ? dialled(std::move(server), failure) : failed(failure);
  });
}

void Flow::dialled(Fd server, const Dial::Failure&) {
  server_ = std::move(server);
  active_ = engine_.loop.now();
  host_.reached(
      target_.name, target_.port,
      classify(dial_->address(), engine_.resolver.own_addresses()) != AddressClass::is_public);
  if (entry_ == Entry::socks) down_.prepend(Socks5::reply(SocksReply::succeeded));
  if (entry_ == Entry::http_proxy) down_.prepend(std::exchange(answer_on_connect_, {}));
  watch(server_);
  pump();
}

void Flow::failed(const Dial::Failure& failure) {
  if (failure.refused) return tell({failure.why, failure.rule, ""});
  switch (entry_) {
    case Entry::socks:
      return say_farewell(Socks5::reply(socks_failure(failure.error)));
    case Entry::http_proxy:
      return say_farewell(http_answer(failure.error == ETIMEDOUT ? 504 : 502, failure.why, "", ""));
    default:
      return abort();
  }
}

void Flow::pump() {
  const std::shared_ptr<Flow> alive = shared_from_this();
  switch (phase_) {
    case Phase::asking:
      ask();
      return;
    case Phase::condemned:
      listen_to_condemned();
      return;
    case Phase::farewell:
      discard();
      return;
    case Phase::closed:
      return;
    case Phase::passing:
      break;
  }
  const size_t allowed = host_.allowance(*this, k_turn);
  if (allowed == 0) return;  // resumed later
  size_t up = allowed, down = allowed;
  if (!pump_up(up) || phase_ != Phase::passing || leaving_ || !pump_down(down)) return;
  if (phase_ == Phase::passing && up_.finished() && down_.finished()) close();
}

// False when the flow has ended. A spent budget asks for another turn.
bool Flow::handle(Channel::Outcome outcome, bool& again) {
  again |= outcome == Channel::Outcome::again;
  if (outcome != Channel::Outcome::failed) return true;
  abort();
  return false;
}

bool Flow::pump_up(size_t& budget) {
  if (up_.finished()) return true;
  uint64_t moved = 0;
  bool again = false, good = true;
  while (speaker_ && speaker_->state() != Speaker::State::passes && !up_.ended()) {
    const size_t before = budget;
    if (!read_spoken(budget)) return false;
    if (server_) up_.flush(server_.get(), moved);
    if (before == budget) break;
    if (budget == 0) {
      again = true;
      break;
    }
  }
  if (server_) {
    const bool unseen = !speaker_ || speaker_->state() == Speaker::State::passes;
    good = handle(unseen ? up_.pump(engine_.pipes, client_.get(), server_.get(), budget, moved)
                         : up_.flush(server_.get(), moved),
                  again);
    if (!unseen && !up_.ended()) again = budget == 0;
  }
  if (moved > 0) {
    meter_->out += moved;
    active_ = engine_.loop.now();
    host_.spent(moved);
  }
  if (good && again && server_)
    engine_.loop.post([weak = weak_from_this()] {
      if (const std::shared_ptr<Flow> self = weak.lock()) self->pump();
    });
  return good;
}

// What must be looked at before it goes on. False: the flow has ended or was refused.
bool Flow::read_spoken(size_t& budget) {
  if (up_.ahead() >= k_buffer || speaker_->waits_for_answer()) return true;
  char buffer[k_buffer];
  const ssize_t n = ::recv(client_.get(), buffer, std::min(sizeof buffer, budget), MSG_DONTWAIT);
  if (n < 0) {
    if (errno == EAGAIN || errno == EINTR) return true;
    abort();
    return false;
  }
  std::string out;
  if (n == 0) {
    speaker_->ended(out);
    up_.end();
  } else {
    if (speaker_->silent()) started_ = engine_.loop.now();
    budget -= static_cast<size_t>(n);
    speaker_->feed({buffer, static_cast<size_t>(n)}, out);
  }
  if (speaker_->state() == Speaker::State::refused) {
    speech_refused();
    return false;
  }
  up_.prepend(std::move(out));
  return true;
}

bool Flow::pump_down(size_t& budget) {
  if (!server_ || down_.finished()) return true;
  if (speaker_ && speaker_->waits_for_answer() && !look_at_answer()) return true;
  if (phase_ != Phase::passing) return false;
  uint64_t moved = 0;
  bool again = false;
  const bool good =
      handle(down_.pump(engine_.pipes, server_.get(), client_.get(), budget, moved), again);
  if (moved > 0) {
    meter_->in += moved;
    active_ = engine_.loop.now();
    host_.spent(moved);
  }
  if (good && again)
    engine_.loop.post([weak = weak_from_this()] {
      if (const std::shared_ptr<Flow> self = weak.lock()) self->pump();
    });
  return good;
}

// Whether the server switched protocols. False: it has not said so yet.
bool Flow::look_at_answer() {
  char head[16];
  const ssize_t n = ::recv(server_.get(), head, sizeof head, MSG_PEEK | MSG_DONTWAIT);
  if (n < 0) return false;
  const std::string_view said(head, static_cast<size_t>(n));
  if (n > 0 && said.size() < 12 && said.find('\n') == std::string_view::npos) return false;
  const bool switched = said.starts_with("HTTP/1.1 101");
  std::string out;
  speaker_->answered(switched, out);
  if (speaker_->state() == Speaker::State::refused) {
    speech_refused();
    return true;
  }
  up_.prepend(std::move(out));
  engine_.loop.post([weak = weak_from_this()] {
    if (const std::shared_ptr<Flow> self = weak.lock()) self->pump();
  });
  return true;
}

void Flow::speech_refused() {
  refuse(speaker_->kind(), {speaker_->why(), decision_.rule, ""}, speaker_->said());
}

void Flow::refuse(std::string_view kind, const Verdict& verdict, const std::string& said) {
  Refusal refusal;
  refusal.kind = kind;
  refusal.host = target_.name;
  refusal.address = said.empty() && dial_ && server_ ? dial_->address().text() : "";
  refusal.port = target_.port;
  refusal.rule = verdict.rule;
  refusal.allow = verdict.allow;
  refusal.why = verdict.why;
  host_.refused(refusal);
  tell(verdict);
}

// In the program's own protocol, where it is known and an answer can still be understood.
void Flow::tell(const Verdict& verdict) {
  const Speech speech = speaker_ ? speaker_->speech() : Speech::more;
  const bool connected = server_.valid();
  if (entry_ == Entry::socks && !connected)
    return say_farewell(Socks5::reply(SocksReply::not_allowed));
  if (entry_ == Entry::http_proxy && !connected)
    return say_farewell(http_answer(403, verdict.why, verdict.rule, verdict.allow));
  if (speech == Speech::tls) return say_farewell(tls_denied());
  if (speech == Speech::http) {
    if (!speaker_->answerable()) return abort();
    return say_farewell(http_answer(403, verdict.why, verdict.rule, verdict.allow));
  }
  const bool web = target_.port == 80 || target_.port == 443;
  if (entry_ != Entry::transparent || speech == Speech::other || !web) return abort();
  verdict_ = verdict;
  phase_ = Phase::condemned;
  listen_to_condemned();
}

void Flow::listen_to_condemned() {
  char buffer[4096];
  for (;;) {
    const ssize_t n = ::recv(client_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return abort();
    asked_.append(buffer, static_cast<size_t>(n));
    switch (recognise(asked_)) {
      case Speech::more:
        continue;
      case Speech::other:
        return abort();
      case Speech::tls:
        return say_farewell(tls_denied());
      case Speech::http:
        return say_farewell(http_answer(403, verdict_.why, verdict_.rule, verdict_.allow));
    }
  }
}

void Flow::say_farewell(const std::string& answer) {
  phase_ = Phase::farewell;
  started_ = engine_.loop.now();
  if (dial_) dial_->cancel();
  if (server_) {
    engine_.loop.forget(server_.get());
    server_.reset();
  }
  // The socket is empty or nearly so: an answer that does not fit at once is not worth waiting for.
  ::send(client_.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::shutdown(client_.get(), SHUT_WR);
  discard();
}

// Reads what is still sent: closing with unread bytes would reset the answer away (RFC 9112, 9.6).
void Flow::discard() {
  char buffer[16384];
  for (int i = 0; i < 16; ++i) {
    const ssize_t n = ::recv(client_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return close();
  }
  close();
}

void Flow::sweep(MonoTime now) {
  const std::shared_ptr<Flow> alive = shared_from_this();
  if (dial_) dial_->sweep(now);
  switch (phase_) {
    case Phase::closed:
      return;
    case Phase::farewell:
      if (now - started_ > k_last_words) close();
      return;
    case Phase::condemned:
    case Phase::asking:
      if (now - started_ > k_first_words) abort();
      return;
    case Phase::passing:
      break;
  }
  if (speaker_ && speaker_->state() == Speaker::State::listening && speaker_->web_port()) {
    if (speaker_->silent() && now - started_ > k_silence) return abort();
    if (!speaker_->silent() && now - started_ > k_first_words)
      return refuse("connect", {"the first message did not come in time", decision_.rule, ""});
  }
  const bool half = up_.finished() || down_.finished();
  if (now - active_ > (half ? k_idle_half : k_idle)) abort();
}

void Flow::rules_changed() {
  if (phase_ != Phase::passing || entry_ == Entry::publish) return;
  const RuleSet& rules = host_.rules();
  const std::vector<Address>& own = engine_.resolver.own_addresses();
  Decision now = target_.address ? rules.literal(*target_.address, target_.port, own)
                                 : rules.name(target_.name, target_.port);
  if (now.allowed && !target_.address && server_) {
    const AddressClass kind = classify(dial_->address(), own);
    now = rules.resolved(target_.name, now, dial_->address(), target_.port, kind);
  }
  if (!now.allowed) abort();
}

// As the kernel does for a program that has ended: what it said is still delivered, and then the
// connection closes. What it would be told is dropped: writing to it would only reset everything.
bool Flow::leaving() {
  const std::shared_ptr<Flow> alive = shared_from_this();
  leaving_ = true;
  pump();
  if (phase_ != Phase::passing) return abort(), false;
  if (!server_ || !up_.finished()) return true;
  char unread[4096];
  for (int i = 0; i < 16 && ::recv(server_.get(), unread, sizeof unread, MSG_DONTWAIT) > 0;) ++i;
  return close(), false;
}

void Flow::abort() {
  if (phase_ == Phase::closed) return;
  const linger hard{1, 0};
  for (const Fd* fd : {&client_, &server_})
    if (*fd) ::setsockopt(fd->get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

void Flow::close() {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  if (dial_) dial_->cancel();
  for (Fd* fd : {&client_, &server_}) {
    if (!*fd) continue;
    engine_.loop.forget(fd->get());
    fd->reset();
  }
  host_.finished(*this);
}

}  // namespace fabric::egress
