// SPDX-License-Identifier: Apache-2.0
#include "fabric/sandbox_flags.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>

#include "base/size.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

Result<uint64_t> parse_size_limit(std::string_view text) {
  if (text == "none") return uint64_t{0};
  return parse_size(text);
}

Result<uint32_t> parse_descriptors(std::string_view text) {
  uint32_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size() || count < 16 || count > 1048576)
    return fail(ErrorCode::usage, "invalid number of descriptors '" + printable(text) + "'",
                "write a number from 16 to 1048576");
  return count;
}

Result<uint32_t> parse_io_weight(std::string_view text) {
  if (text == "none") return 0U;
  uint32_t weight = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), weight);
  if (error != std::errc{} || end != text.data() + text.size() || weight == 0 || weight > 10000)
    return fail(ErrorCode::usage, "invalid weight '" + printable(text) + "'",
                "write a number from 1 to 10000, or none");
  return weight;
}

// Absolute and without "." and "..", which rules do not take. Links stay as they are.
std::string absolute(std::string_view path) {
  if (path.empty()) return "";
  std::string out = std::filesystem::absolute(std::filesystem::path(path)).lexically_normal();
  while (out.size() > 1 && out.ends_with('/')) out.pop_back();
  return out;
}

// HOST or HOST:INSIDE with HOST made absolute; what stood alone is inside where it is outside.
std::string absolute_rule(const std::string& rule) {
  const size_t colon = rule.find(':');
  const std::string host = absolute(std::string_view(rule).substr(0, colon));
  return colon == std::string::npos ? host : host + rule.substr(colon);
}

// NAME=file:PATH... with PATH made absolute.
std::string absolute_secret(const std::string& rule) {
  const size_t at = rule.find("=file:");
  if (at == std::string::npos) return rule;
  const size_t from = at + 6;
  const size_t end = std::min(rule.find(',', from), rule.size());
  return rule.substr(0, from) + absolute(std::string_view(rule).substr(from, end - from)) +
         rule.substr(end);
}

// NAME=VALUE, or NAME alone for the value that the caller has.
Result<Metadata> read_env(const Arguments& arguments) {
  Metadata env;
  for (const std::string& text : arguments.values("--env")) {
    const size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    if (name.empty()) return fail(ErrorCode::usage, "--env '" + printable(text) + "': no name");
    if (equals != std::string::npos) {
      env.emplace_back(name, text.substr(equals + 1));
      continue;
    }
    const char* value = std::getenv(name.c_str());
    if (!value)
      return fail(ErrorCode::usage, "--env " + printable(name) + ": not set in this environment",
                  "set it, or write --env " + printable(name) + "=VALUE");
    env.emplace_back(name, value);
  }
  return env;
}

}  // namespace

Status read_sandbox_flags(const Arguments& arguments, config::AgentFlags& flags) {
  flags.isolation = TRY(parsed(arguments, "--isolation", parse_isolation_level));
  flags.memory_bytes = TRY(parsed(arguments, "--memory", parse_memory_limit));
  flags.cpu_millicores = TRY(parsed(arguments, "--cpu", parse_cpu_cores));
  flags.pids = TRY(parsed(arguments, "--pids", parse_pids_limit));
  flags.nofile = TRY(parsed(arguments, "--nofile", parse_descriptors));
  flags.file_size_bytes = TRY(parsed(arguments, "--file-size", parse_size_limit));
  flags.disk_bytes = TRY(parsed(arguments, "--disk", parse_size_limit));
  flags.tmp_bytes = TRY(parsed(arguments, "--tmp", parse_size_limit));
  flags.shm_bytes = TRY(parsed(arguments, "--shm", parse_size_limit));
  flags.io_weight = TRY(parsed(arguments, "--io-weight", parse_io_weight));
  flags.output_rate = TRY(parsed(arguments, "--output-rate", parse_size_limit));
  flags.egress_rate = TRY(parsed(arguments, "--egress-rate", parse_size_limit));
  if (const auto root = arguments.value("--root")) {
    flags.root = absolute(*root);
    if (!flags.isolation) flags.isolation = IsolationLevel::container;
  }
  if (const auto work = arguments.value("--work")) flags.work = absolute(*work);
  if (const auto policy = arguments.value("--seccomp"))
    flags.seccomp = policy->find('/') == std::string::npos ? *policy : absolute(*policy);
  if (arguments.has("--no-protect-git")) flags.protect_git = false;
  if (arguments.has("--degrade")) flags.degrade = true;
  for (const SandboxList& list : sandbox_lists()) {
    if (!arguments.has(list.option)) continue;
    const bool of_host = list.option == "--ro" || list.option == "--rw";
    for (const std::string& rule : arguments.values(list.option))
      (flags.rules.*list.member)
          .push_back(of_host                     ? absolute_rule(rule)
                     : list.option == "--secret" ? absolute_secret(rule)
                                                 : rule);
  }
  flags.env = TRY(read_env(arguments));
  return {};
}

}  // namespace fabric::cmd
