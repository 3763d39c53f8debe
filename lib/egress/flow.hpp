// SPDX-License-Identifier: Apache-2.0
// One connection of a program in a sandbox, and the one outside that it is passed on to. The
// program came through a listener that stands for a name (transparent), a proxy (HTTP, SOCKS5), or
// is itself the server (publish). One thread, the loop's.
//
// The trap: for a transparent connection the program's connect(2) has succeeded before anything is
// known. What fails afterwards must reach it as a reset, never as an orderly end without data.
#pragma once

#include <memory>
#include <string>

#include "egress/channel.hpp"
#include "egress/dial.hpp"
#include "egress/host.hpp"
#include "egress/socks5.hpp"
#include "egress/speech.hpp"

namespace fabric::egress {

class Flow final : public Connection, public std::enable_shared_from_this<Flow> {
 public:
  enum class Entry : uint8_t { transparent, http_proxy, socks, publish };
  Flow(Engine& engine, Host& host, Entry entry, Fd client);
  ~Flow() override;
  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;

  // One of these, once.
  void start_transparent(const Target& target);
  void start_proxy();                                     // of http_proxy and socks
  void start_publish(Fd outside, const std::string& as);  // the client is the program that serves

  void sweep(MonoTime now) override;
  void rules_changed() override;
  void resume() override { pump(); }
  void abort() override;
  bool leaving() override;

 private:
  enum class Phase : uint8_t {
    asking,     // a proxy is told the target
    passing,    // dialled or being dialled
    condemned,  // refused, but in what protocol to say so is not known yet
    farewell,   // the last answer is on its way
    closed,
  };
  struct Verdict {
    std::string why, rule, allow;
  };
  void watch(const Fd& fd);
  void pump();
  void ask();  // flow_proxy.cpp
  void ask_http();
  void ask_socks();
  void forward(HttpHead head, const Target& target);
  void begin(const Target& target);
  void dialled(Fd server, const Dial::Failure& failure);
  void failed(const Dial::Failure& failure);
  bool pump_up(size_t& budget);    // from the program; false: closed
  bool pump_down(size_t& budget);  // to the program
  bool read_spoken(size_t& budget);
  bool look_at_answer();
  bool handle(Channel::Outcome outcome, bool& again);
  void speech_refused();
  void refuse(std::string_view kind, const Verdict& verdict, const std::string& address = "");
  void tell(const Verdict& verdict);
  void listen_to_condemned();
  void say_farewell(const std::string& answer);
  void discard();
  void close();

  Engine& engine_;
  Host& host_;
  Entry entry_;
  Phase phase_ = Phase::asking;
  Fd client_, server_;
  Target target_;
  Decision decision_;
  std::shared_ptr<Dial> dial_;
  std::unique_ptr<Speaker> speaker_;  // null: all passes
  std::string answer_on_connect_;     // of the HTTP proxy
  Socks5 socks_;
  std::string asked_;
  Channel up_, down_;
  std::shared_ptr<HostMeter> meter_;
  Verdict verdict_;
  MonoTime started_, active_;
  bool leaving_ = false;
};

}  // namespace fabric::egress
