// SPDX-License-Identifier: Apache-2.0
// Whether what a program says fits the name that it was allowed: the server name of TLS, the Host
// of every HTTP request. One connection.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "egress/http_requests.hpp"
#include "egress/target.hpp"

namespace fabric::egress {

class Speaker {
 public:
  enum class State : uint8_t {
    listening,  // not enough was said
    passes,     // all that is said goes on unseen
    filtered,   // HTTP: feed() goes on
    refused,
  };
  // `exact`: a rule has this very name, so that TLS without a server name can only mean it.
  Speaker(const Target& target, bool exact) : target_(target), exact_(exact) {}

  // Takes what came from the program and appends to `out` what may go on.
  State feed(std::string_view bytes, std::string& out);
  // The program will say no more.
  State ended(std::string& out);
  // The server has answered an upgrade.
  State answered(bool switched, std::string& out);
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] Speech speech() const { return speech_; }
  [[nodiscard]] bool silent() const { return held_.empty(); }
  [[nodiscard]] bool waits_for_answer() const { return http_ && http_->waits_for_answer(); }
  // No request went on yet: an answer of ours will be read as the answer.
  [[nodiscard]] bool answerable() const { return http_ && http_->heads() == 0; }
  // Of a refusal.
  [[nodiscard]] const std::string& kind() const { return kind_; }  // sni, host_header, connect
  [[nodiscard]] const std::string& why() const { return why_; }
  [[nodiscard]] const std::string& said() const { return said_; }
  // Ports on which something else than TLS or HTTP is never let through. On others the beginning of
  // a line goes on at once, for there are programs that wait for an answer to it; no server takes
  // it for a request before "HTTP/" and the end of the head, which do not go on unseen.
  [[nodiscard]] bool web_port() const { return target_.port == 80 || target_.port == 443; }

 private:
  State refuse(std::string kind, std::string why);
  State recognised(std::string& out);
  void pass_early(std::string& out);
  State hello(std::string& out);
  State http(std::string_view bytes, std::string& out);
  bool fits(HttpHead& head);

  Target target_;
  bool exact_;
  State state_ = State::listening;
  Speech speech_ = Speech::more;
  std::string held_, kind_, why_, said_;
  size_t early_ = 0;  // of held_, what went on before it was recognised
  std::unique_ptr<HttpRequests> http_;
};

}  // namespace fabric::egress
