// SPDX-License-Identifier: Apache-2.0
#include "egress/attachment.hpp"

#include <sys/socket.h>
#include <unistd.h>

namespace fabric::egress {
namespace {

constexpr size_t k_longest_secret = 65536;
constexpr int64_t k_most_connections = 65536;

// Calls take(rule text, descriptor) for each {"rule","fd"} of a list.
template <class Take>
Status each_rule(const json::Value& message, std::string_view key, std::vector<Fd>& fds,
                 Take take) {
  const json::Value* list = json::find(message, key);
  if (list == nullptr || !list->IsArray()) return {};
  for (const json::Value& entry : list->GetArray()) {
    const auto rule = json::get_string(entry, "rule");
    const auto index = json::get_int(entry, "fd");
    if (!rule || !index || *index < 1 || static_cast<size_t>(*index) >= fds.size() ||
        !fds[static_cast<size_t>(*index)])
      return fail(ErrorCode::usage, std::string(key) + " without rule or descriptor");
    TRY_STATUS(take(*rule, std::move(fds[static_cast<size_t>(*index)])));
  }
  return {};
}

Result<std::string> read_secret(int fd) {
  std::string secret(k_longest_secret, '\0');
  const ssize_t n = ::pread(fd, secret.data(), secret.size(), 0);
  if (n < 0) return fail_errno(errno, "reading a secret");
  secret.resize(static_cast<size_t>(n));
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  for (const char c : secret)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return fail(ErrorCode::usage, "a secret for a header holds control characters");
  if (secret.empty()) return fail(ErrorCode::usage, "a secret is empty");
  return secret;
}

}  // namespace

std::vector<std::string> read_texts(const json::Value& message, std::string_view key) {
  std::vector<std::string> out;
  const json::Value* list = json::find(message, key);
  if (list == nullptr || !list->IsArray()) return out;
  for (const json::Value& entry : list->GetArray())
    if (entry.IsString()) out.emplace_back(json::text_of(entry));
  return out;
}

Result<Attachment> read_attachment(const json::Value& message, std::vector<Fd> fds) {
  Attachment out;
  out.sandbox = json::get_string(message, "sandbox").value_or("");
  out.agent = json::get_string(message, "agent").value_or("");
  out.generation = json::get_int(message, "generation").value_or(0);
  out.rules = read_texts(message, "rules");
  if (out.sandbox.empty()) return fail(ErrorCode::usage, "attach without a sandbox");
  if (fds.empty() || !fds[0]) return fail(ErrorCode::usage, "attach without a link");
  out.link = std::move(fds[0]);
  const int64_t rate = json::get_int(message, "rate").value_or(0);
  const int64_t connections = json::get_int(message, "connections").value_or(0);
  out.rate = rate > 0 ? static_cast<uint64_t>(rate) : 0;
  out.learn = json::get_bool(message, "learn").value_or(false);
  if (connections > 0)
    out.connections = static_cast<uint32_t>(std::min(connections, k_most_connections));
  TRY_STATUS(each_rule(message, "publish", fds, [&](std::string_view text, Fd fd) -> Status {
    int listens = 0;
    socklen_t size = sizeof listens;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens != 1)
      return fail(ErrorCode::usage, "publish needs a listening socket");
    out.published.emplace_back(TRY(parse_publish_rule(text)), std::move(fd));
    return {};
  }));
  TRY_STATUS(each_rule(message, "inject", fds, [&](std::string_view text, Fd fd) -> Status {
    InjectRule rule = TRY(parse_inject_rule(text));
    out.injections.push_back({std::move(rule), TRY(read_secret(fd.get()))});
    return {};
  }));
  return out;
}

}  // namespace fabric::egress
