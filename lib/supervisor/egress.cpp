// SPDX-License-Identifier: Apache-2.0
// Egress in the supervisor: the process is started when the first sandbox needs it, every sandbox
// that wants it is attached, what is refused becomes an event.
#include <sys/epoll.h>
#include <sys/wait.h>

#include "isolation/control_socket.hpp"
#include "isolation/egress_plan.hpp"
#include "isolation/egress_process.hpp"
#include "isolation/inject_secrets.hpp"
#include "supervisor/core.hpp"
#include "telemetry/log.hpp"

namespace fabric {
namespace {

constexpr Duration k_event_pause = Duration::seconds(60);
constexpr size_t k_most_remembered = 4096;
constexpr size_t k_most_hosts = 256;

}  // namespace

void SupervisorCore::open_egress() {
  EgressClient::Hooks hooks;
  hooks.start = [this] { return start_egress_process(); };
  hooks.secret = [this](const std::string& id, const std::string& rule) -> Result<Fd> {
    Entry* entry = find(id);
    if (!entry) return fail(ErrorCode::not_found, "no agent " + id);
    return open_injected_secret(entry->agent.definition.sandbox, rule);
  };
  hooks.refused = [this](const EgressRefused& refused) { egress_refused(refused); };
  hooks.usage = [this](const EgressUsage& usage) { egress_used(usage); };
  hooks.reached = [this](const EgressReached& reached) {
    if (const std::string* agent = agent_of_cgroup(reached.sandbox))
      learner_->add_host(agents_.at(*agent).agent, reached.host, reached.port, reached.is_private);
  };
  egress_ = std::make_unique<EgressClient>(*loop_, workspace_.run_dir() + "/egress.sock",
                                           std::move(hooks));
  egress_->find_living();
}

Status SupervisorCore::start_egress_process() {
  EgressStart how;
  how.binary = egress_binary_beside(options_.init_binary);
  how.socket = workspace_.run_dir() + "/egress.sock";
  how.log = workspace_.state_dir() + "/logs/egress.log";
  how.hosts_file = settings_.egress_hosts_file;
  how.authorities = settings_.egress_authorities;
  how.workspace = workspace_.root;
  EgressProcess process = TRY(start_egress(how));
  log::info("egress process started", {{"pid", process.pid}});
  auto pidfd = std::make_shared<Fd>(std::move(process.pidfd));
  return loop_->watch(pidfd->get(), EPOLLIN | EPOLLONESHOT,
                      [this, pidfd, pid = process.pid](uint32_t) {
                        ::waitpid(pid, nullptr, WNOHANG);
                        loop_->forget(pidfd->get());
                      });
}

void SupervisorCore::attach_egress(const Agent& agent, Fd link, EgressClient::Done done) {
  EgressAttachment what;
  what.sandbox = agent.cgroup;
  what.generation = agent.generation;
  what.agent = agent.definition.id;
  what.rules = egress_in_force(agent.definition.sandbox);
  what.learn = agent.definition.sandbox.learn;
  what.rate = agent.definition.limits.egress_rate;
  what.publish = agent.definition.sandbox.publish;
  what.inject = agent.definition.sandbox.inject;
  auto new_link = [this, id = agent.definition.id, cgroup = agent.cgroup]() -> Result<Fd> {
    Entry* entry = find(id);
    if (!entry || !entry->host || entry->agent.cgroup != cgroup)
      return fail(ErrorCode::not_found, "agent " + id + " has no sandbox");
    auto [ours, theirs] = TRY(make_socket_pair());
    TRY_STATUS(entry->host->give_link(theirs));
    return std::move(ours);
  };
  egress_->attach(std::move(what), std::move(link), std::move(new_link), std::move(done));
}

// The sandbox stands, but nothing leads out of it: then the agent was not spawned.
void SupervisorCore::attach_new_sandbox(Entry& entry, Fd link) {
  attach_egress(entry.agent, std::move(link),
                [this, id = entry.agent.definition.id, cgroup = entry.agent.cgroup](Status status) {
                  Entry* made = find(id);
                  if (!made || !made->host || made->agent.cgroup != cgroup) return;
                  if (made->terminating || going_down_) return;
                  if (status) return make_ready(*made);
                  made->launch_error = status.error();
                  made->host->shut_down(Duration{});
                });
}

void SupervisorCore::attach_adopted_sandbox(const Agent& agent) {
  if (!wants_egress(agent.definition.sandbox)) return;
  attach_egress(agent, Fd(), [id = agent.definition.id](Status status) {
    if (!status)
      log::error("agent without egress", {{"agent", id}, {"error", status.error().message}});
  });
}

// A violation each (their log counts), an event a minute for what is refused again and again; the
// supervisor's log has no more either.
void SupervisorCore::egress_refused(const EgressRefused& refused) {
  const std::string* agent = agent_of_cgroup(refused.sandbox);
  if (!agent) return;
  report_refused(*agent, refused);
  const std::string what = describe(refused);
  const MonoTime now = loop_->now();
  if (egress_events_.size() >= k_most_remembered) egress_events_.clear();
  auto [seen, fresh] = egress_events_.try_emplace(*agent + " " + what, now);
  if (!fresh && now - seen->second < k_event_pause) return;
  seen->second = now;
  log::warn("egress refused", {{"agent", *agent}, {"what", what}});
  Event event;
  event.kind = EventKind::sandbox_refused;
  event.at = refused.at.set() ? refused.at : clock_.now();
  event.agent = *agent;
  event.detail = what;
  writer_->post(
      [event](store::WriteTxn& txn, Dispatcher&) -> Status {
        Event copy = event;
        return txn.add_event(copy);
      },
      {});
}

void SupervisorCore::egress_used(const EgressUsage& usage) {
  const std::string* agent = agent_of_cgroup(usage.sandbox);
  if (!agent) return;
  std::map<std::string, EgressUsage>& hosts = agents_.at(*agent).egress;
  // Names below a wildcard are the agent's choice: beyond a number they are counted together.
  const bool known = hosts.size() < k_most_hosts || hosts.count(usage.host) != 0;
  EgressUsage& total = hosts[known ? usage.host : "*"];
  total.in_bytes += usage.in_bytes;
  total.out_bytes += usage.out_bytes;
  total.connections += usage.connections;
}

// Connections that the new rules do not allow end at once. A sandbox that was made without a way
// out has no routes and no resolver, and its init no right to make them: it gets a successor, when
// its tasks have ended. Until then it takes no new ones.
void SupervisorCore::egress_changed(const operations::Context::NewRules& rules) {
  Entry* entry = find(rules.agent);
  if (!entry) return;
  AgentDefinition& definition = entry->agent.definition;
  definition.sandbox.egress = rules.egress;
  definition.egress_given = rules.given;
  log::info("egress rules changed", {{"agent", rules.agent}});
  if (entry->terminating || going_down_) return;
  if (!rules.renew)
    return egress_->set_rules(entry->agent.cgroup, egress_in_force(definition.sandbox));
  entry->renewing = entry->host || entry->launching;
  if (entry->host && entry->host->runner().running() == 0) entry->host->shut_down(definition.grace);
}

const std::string* SupervisorCore::agent_of_cgroup(const std::string& cgroup) const {
  for (const auto& [id, entry] : agents_)
    if (entry.agent.cgroup == cgroup) return &id;
  return nullptr;
}

}  // namespace fabric
