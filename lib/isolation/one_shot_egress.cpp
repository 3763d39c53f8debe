// SPDX-License-Identifier: Apache-2.0
#include "isolation/one_shot_egress.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "isolation/control_socket.hpp"
#include "isolation/egress_plan.hpp"
#include "isolation/inject_secrets.hpp"
#include "isolation/process_identity.hpp"
#include "model/egress_wire.hpp"

namespace fabric {
namespace {

constexpr const char* k_name = "one";  // it knows no other sandbox
constexpr Duration k_patience = Duration::seconds(10);
constexpr size_t k_most_refused = 256;

bool wait_readable(int fd, MonoTime until) {
  for (;;) {
    const int64_t left = (until - system_clock().monotonic()).to_millis();
    pollfd ask{fd, POLLIN, 0};
    const int ready = ::poll(&ask, 1, static_cast<int>(std::max<int64_t>(left, 0)));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

bool same(const EgressRefused& a, const EgressRefused& b) {
  return a.kind == b.kind && a.host == b.host && a.address == b.address && a.port == b.port &&
         a.why == b.why;
}

template <class Open>
Status add_descriptors(const std::vector<std::string>& rules, Open open, std::vector<Fd>& all,
                       std::vector<int>& indices) {
  for (const std::string& rule : rules) {
    indices.push_back(static_cast<int>(all.size()));
    all.push_back(TRY(open(rule)));
  }
  return {};
}

}  // namespace

OneShotEgress::~OneShotEgress() { end_process(); }

Result<Fd> OneShotEgress::make_link() {
  auto [ours, theirs] = TRY(make_socket_pair());
  link_ = std::move(ours);
  return std::move(theirs);
}

Status OneShotEgress::start(const std::string& init_binary, const SandboxSpec& spec,
                            const OneCommand& command) {
  end_process();  // an earlier one: its published ports are free then
  EgressStart how;
  how.binary = egress_binary_beside(init_binary);
  how.hosts_file = command.egress_hosts_file;
  how.authorities = command.egress_authorities;
  egress_ = TRY(start_private_egress(how));
  attached_.reset();
  buffer_.resize(wire::k_egress_max_packet);
  return tell(spec);
}

Status OneShotEgress::tell(const SandboxSpec& spec) {
  EgressAttachment what;
  what.sandbox = k_name;
  what.agent = spec.name;
  what.rules = egress_in_force(spec.options);
  what.learn = spec.options.learn;
  what.rate = spec.limits.egress_rate;
  what.publish = spec.options.publish;
  what.inject = spec.options.inject;
  std::vector<Fd> descriptors;
  descriptors.push_back(std::move(link_));
  EgressDescriptors sent;
  TRY_STATUS(add_descriptors(what.publish, listen_for, descriptors, sent.publish));
  TRY_STATUS(add_descriptors(
      what.inject,
      [&](const std::string& rule) { return open_injected_secret(spec.options, rule); },
      descriptors, sent.inject));
  const std::string packet = encode_attach(what, sent);
  if (packet.size() > wire::k_egress_max_packet ||
      descriptors.size() > wire::k_egress_max_descriptors)
    return fail(ErrorCode::usage, "too many rules of egress, publish or inject");
  std::vector<int> numbers;
  for (const Fd& fd : descriptors) numbers.push_back(fd.get());
  return in_context(send_with_descriptors(egress_.connection, packet, numbers), "fabric-egress");
}

Status OneShotEgress::wait_until_attached() {
  const MonoTime until = system_clock().monotonic() + k_patience;
  while (!attached_) {
    if (!wait_readable(fd(), until))
      return fail(ErrorCode::timed_out, "fabric-egress does not answer");
    if (!read() && !attached_) return fail(ErrorCode::failed, "fabric-egress: " + last_words());
  }
  return *attached_;
}

bool OneShotEgress::read() {
  while (fd() >= 0 && receive()) {
  }
  return fd() >= 0;
}

// False: nothing to read now, or it is gone.
bool OneShotEgress::receive() {
  const ssize_t got = ::recv(fd(), buffer_.data(), buffer_.size(), MSG_DONTWAIT | MSG_TRUNC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return errno == EINTR;
  auto message = got > 0 && static_cast<size_t>(got) <= buffer_.size()
                     ? decode_egress_message({buffer_.data(), static_cast<size_t>(got)})
                     : Result<EgressMessage>(fail(ErrorCode::failed, "it ended"));
  const auto* hello = message ? std::get_if<EgressHello>(&*message) : nullptr;
  if (!message || (hello && hello->version != wire::k_egress_version)) {
    egress_.connection.reset();
    return false;
  }
  uint64_t sequence = 0;
  if (const auto* answer = std::get_if<EgressAttached>(&*message)) {
    attached_ = answer->failure.empty()
                    ? Status{}
                    : Status(fail(ErrorCode::usage, "egress: " + answer->failure));
  } else if (const auto* refused = std::get_if<EgressRefused>(&*message)) {
    sequence = refused->sequence;
    add(*refused);
  } else if (const auto* place = std::get_if<EgressReached>(&*message)) {
    sequence = place->sequence;
    reached_.push_back(*place);
  } else if (const auto* usage = std::get_if<EgressUsage>(&*message)) {
    sequence = usage->sequence;
  }
  // It keeps what was not acknowledged.
  if (sequence != 0) (void)send_with_descriptors(egress_.connection, encode_ack(sequence), {});
  return true;
}

void OneShotEgress::add(const EgressRefused& refused) {
  auto found = std::find_if(refused_.begin(), refused_.end(),
                            [&](const EgressRefused& known) { return same(known, refused); });
  if (found != refused_.end())
    found->count += refused.count;
  else if (refused_.size() < k_most_refused)
    refused_.push_back(refused);
}

std::vector<EgressRefused> OneShotEgress::finish(Duration patience) {
  const MonoTime until = system_clock().monotonic() + patience;
  if (fd() >= 0) (void)send_with_descriptors(egress_.connection, encode_shutdown(), {});
  while (fd() >= 0 && wait_readable(fd(), until) && read()) {
  }
  end_process();
  return std::move(refused_);
}

void OneShotEgress::end_process() {
  egress_.connection.reset();
  if (!egress_.process.pidfd) return;
  // It ends by itself, unless it hangs: nothing in it is worth waiting for.
  (void)signal_process(egress_.process.pidfd, SIGKILL);
  while (::waitpid(egress_.process.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  egress_.process = {};
}

std::string OneShotEgress::last_words() const {
  std::array<char, 1024> text{};
  const ssize_t got = ::pread(egress_.said.get(), text.data(), text.size(), 0);
  std::string_view words(text.data(), static_cast<size_t>(std::max<ssize_t>(got, 0)));
  words = words.substr(0, words.find('\n'));
  constexpr std::string_view k_prefix = "fabric-egress: error: ";
  if (words.starts_with(k_prefix)) words.remove_prefix(k_prefix.size());
  return words.empty() ? "it died without a word" : std::string(words);
}

}  // namespace fabric
