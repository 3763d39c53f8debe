// SPDX-License-Identifier: Apache-2.0
#include "egress/inject.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

#include "egress/answers.hpp"
#include "egress/dial.hpp"
#include "egress/http_requests.hpp"
#include "egress/redactor.hpp"
#include "egress/tls_context.hpp"

namespace fabric::egress {
namespace {

constexpr size_t k_buffer = 65536;
constexpr int k_pieces_a_round = 16;
constexpr Duration k_idle = Duration::seconds(900), k_connect = Duration::seconds(30),
                   k_hold = Duration::seconds(1);

class Injected final : public Connection, public std::enable_shared_from_this<Injected> {
 public:
  Injected(Engine& engine, Host& host, const Injection& injection, Fd client, std::string bytes)
      : engine_(engine),
        host_(host),
        rule_(injection.rule),
        secret_(injection.secret),
        client_(std::move(client)),
        spoken_(std::move(bytes)),
        requests_([this](HttpHead& head) { return rewritten(head); }),
        redactor_(injection.secret),
        active_(engine.loop.now()) {}
  ~Injected() override { forget(); }
  Injected(const Injected&) = delete;
  Injected& operator=(const Injected&) = delete;

  void resume() override { started_ ? pump() : start(); }
  void sweep(MonoTime now) override {
    const std::shared_ptr<Injected> alive = shared_from_this();
    if (dial_) dial_->sweep(now);
    if (closed_) return;
    if (now - active_ > (ready_ ? k_idle : k_connect)) return abort();
    // An answer may end with what is the beginning of a secret.
    if (redactor_.holds() && now - heard_ > k_hold) {
      down_ += redactor_.end();
      pump();
    }
  }
  void rules_changed() override {}  // injections are rules of their own
  void abort() override {
    const linger hard{1, 0};
    if (client_) ::setsockopt(client_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }

 private:
  void start();
  void dialled(Fd server);
  void pump();
  bool pump_up();
  bool pump_down();
  bool send_to_client();
  std::optional<std::string> rewritten(HttpHead& head);
  void fail(int status, const std::string& why);
  void post();
  void forget();
  void close();

  Engine& engine_;
  Host& host_;
  const InjectRule rule_;
  const std::string secret_;
  Fd client_, server_;
  std::string spoken_;  // by the client, before it came here
  std::shared_ptr<Dial> dial_;
  std::unique_ptr<TlsStream> tls_;
  HttpRequests requests_;
  Redactor redactor_;
  std::shared_ptr<HostMeter> meter_;
  std::string up_, down_;  // to go out
  MonoTime active_, heard_;
  bool started_ = false, ready_ = false, closed_ = false;
  bool client_ended_ = false, server_ended_ = false;
};

void Injected::start() {
  started_ = true;
  const int on = 1;
  ::setsockopt(client_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  engine_.loop.watch(client_.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                     [this](uint32_t) { pump(); });
  meter_ = host_.meter(rule_.host);
  ++meter_->connections;
  // The rule is the permission; where the name may lead to, the rules of egress still say.
  Decision decision = host_.rules().name(rule_.host, rule_.port);
  decision.allowed = true;
  decision.exact = true;
  dial_ = std::make_shared<Dial>(engine_, host_, Target{rule_.host, std::nullopt, rule_.port},
                                 decision);
  dial_->start([this](Fd server, const Dial::Failure& failure) {
    if (closed_) return;
    if (server) return dialled(std::move(server));
    fail(failure.refused ? 403 : 502, failure.why);
  });
}

void Injected::dialled(Fd server) {
  server_ = std::move(server);
  if (engine_.tls == nullptr) return fail(502, "this process has no TLS");
  Result<std::unique_ptr<TlsStream>> tls = engine_.tls->connect(server_.get(), rule_.host);
  if (!tls) return fail(502, tls.error().message);
  tls_ = std::move(*tls);
  engine_.loop.watch(server_.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                     [this](uint32_t) { pump(); });
  pump();
}

// The head with the real host and the secret; the client's own words in that header are dropped.
std::optional<std::string> Injected::rewritten(HttpHead& head) {
  if (!head.target.starts_with('/')) return std::nullopt;
  for (const std::string_view name :
       {std::string_view("host"), std::string_view(rule_.header), std::string_view("upgrade"),
        std::string_view("connection"), std::string_view("accept-encoding")})
    head.remove(name);
  head.upgrade = false;
  const std::string port = rule_.port == 443 ? "" : ":" + std::to_string(rule_.port);
  head.headers.insert(head.headers.begin(), {"Host", rule_.host + port});
  head.headers.emplace_back(rule_.header, rule_.prefix + secret_);
  // Compressed, an answer that repeats the secret could not be recognised.
  head.headers.emplace_back("Accept-Encoding", "identity");
  return head.text();
}

void Injected::pump() {
  const std::shared_ptr<Injected> alive = shared_from_this();
  if (closed_ || !tls_) return;
  if (!ready_) {
    const TlsStream::Want want = tls_->handshake();
    if (want == TlsStream::Want::more) return;
    if (want == TlsStream::Want::failed)
      return fail(502, "TLS with " + rule_.host + ": " + tls_->error());
    ready_ = true;
    active_ = engine_.loop.now();
  }
  if (!pump_up() || !pump_down()) return;
  if (server_ended_ && down_.empty()) close();
}

bool Injected::pump_up() {
  std::string why;
  for (int i = 0; i < k_pieces_a_round; ++i) {
    TlsStream::Want want = TlsStream::Want::nothing;
    while (!up_.empty()) {
      const size_t n = tls_->write(up_.data(), up_.size(), want);
      if (want == TlsStream::Want::failed) return abort(), false;
      if (n == 0) return true;
      meter_->out += n;
      host_.spent(n);
      up_.erase(0, n);
      active_ = engine_.loop.now();
    }
    if (!spoken_.empty()) {
      const std::string spoken = std::exchange(spoken_, {});
      if (!requests_.feed(spoken, up_, why)) return fail(400, why), false;
      continue;
    }
    if (client_ended_) return true;
    const size_t allowed = host_.allowance(*this, k_buffer);
    if (allowed == 0) return true;
    char buffer[k_buffer];
    const ssize_t n = ::recv(client_.get(), buffer, allowed, MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EINTR || (abort(), false);
    // TLS has no half-closing that servers would honour: the answer is still waited for.
    if (n == 0) client_ended_ = true;
    spoken_.assign(buffer, static_cast<size_t>(n));
  }
  post();
  return true;
}

bool Injected::send_to_client() {
  while (!down_.empty()) {
    const ssize_t n =
        ::send(client_.get(), down_.data(), down_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EINTR || (abort(), false);
    meter_->in += static_cast<uint64_t>(n);
    host_.spent(static_cast<size_t>(n));
    down_.erase(0, static_cast<size_t>(n));
    active_ = engine_.loop.now();
  }
  return true;
}

bool Injected::pump_down() {
  for (int i = 0; i < k_pieces_a_round; ++i) {
    if (!send_to_client()) return false;
    if (!down_.empty() || server_ended_) return true;
    const size_t allowed = host_.allowance(*this, k_buffer);
    if (allowed == 0) return true;
    char buffer[k_buffer];
    TlsStream::Want want = TlsStream::Want::nothing;
    const size_t n = tls_->read(buffer, allowed, want);
    if (n == 0) {
      if (want == TlsStream::Want::more) return true;
      server_ended_ = true;
      // A cut answer must not look whole.
      if (want == TlsStream::Want::failed) return abort(), false;
      down_ += redactor_.end();
    } else {
      down_ += redactor_.feed({buffer, n});
      heard_ = engine_.loop.now();
    }
  }
  post();
  return true;
}

void Injected::post() {
  engine_.loop.post([weak = weak_from_this()] {
    if (const std::shared_ptr<Injected> self = weak.lock()) self->pump();
  });
}

// Before the first request went out an answer of ours is the answer; later only a reset is honest.
void Injected::fail(int status, const std::string& why) {
  if (requests_.heads() > 0 && ready_) return abort();
  const std::string answer =
      http_answer(status, why.empty() ? "the request is not in origin form" : why, "", "");
  ::send(client_.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::shutdown(client_.get(), SHUT_WR);
  // Read what is there: closing with unread bytes would reset the answer away. Not for as long as
  // somebody sends.
  char buffer[k_buffer];
  for (int i = 0; i < k_pieces_a_round; ++i)
    if (::recv(client_.get(), buffer, sizeof buffer, MSG_DONTWAIT) <= 0) break;
  close();
}

void Injected::forget() {
  if (client_) engine_.loop.forget(client_.get());
  if (server_) engine_.loop.forget(server_.get());
}

void Injected::close() {
  if (closed_) return;
  closed_ = true;
  if (dial_) dial_->cancel();
  forget();
  client_.reset();
  tls_.reset();
  server_.reset();
  host_.finished(*this);
}

}  // namespace

std::shared_ptr<Connection> make_injected(Engine& engine, Host& host, const Injection& injection,
                                          Fd client, std::string bytes) {
  return std::make_shared<Injected>(engine, host, injection, std::move(client), std::move(bytes));
}

}  // namespace fabric::egress
