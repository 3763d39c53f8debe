// SPDX-License-Identifier: Apache-2.0
// Makes, adopts and destroys sandboxes. A finished SandboxSpec goes in, a running sandbox comes
// out; this module knows nothing of tasks, policy or the store.
//
// A sandbox is a fabric-init process (pid 1 of its own pid namespace at level `process`) that has
// built the walls around itself from the spec, proved that they stand, and waits for commands on
// its control socket. It outlives the process that made it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"
#include "isolation/egress_messages.hpp"
#include "isolation/init_connection.hpp"
#include "model/limits.hpp"
#include "model/sandbox_options.hpp"

namespace fabric {

struct SandboxSpec {
  std::string name;         // agent id: the host name inside, and part of cgroup names
  uint32_t number = 0;      // unique in the workspace: picks the unprivileged uid (root only)
  uint64_t generation = 0;  // of this sandbox; committed to the store before it is made
  std::string cgroup;       // unique on the machine, one path component (see cgroup_name())
  IsolationLevel level = IsolationLevel::process;
  Limits limits;
  SandboxOptions options;  // paths of the host are absolute
  uint32_t slots = 1;      // attempts that may run at once; each has its own cgroup leaf
  std::string work_dir;    // host path, exists, owned by the caller; options.work replaces it
  std::string changes_dir =
      {};  // level container: keeps what it changes in its root; "": in memory
  std::string image_store = {};  // level container: where images are unpacked, made when needed
  std::string workspace;         // host path of what no path rule may give away, or ""
  std::string control_socket;    // host path where init listens; its directory is 0700
  std::string exit_journal;      // host path; created here, kept after the sandbox's end
  Duration orphan_grace = Duration::seconds(600);  // without a supervisor, init stops after this
  std::string
      probe_command;     // argv[0] of the agent: create fails when it cannot be executed inside
  std::string path_env;  // PATH for that look-up
};

// Enough to find a sandbox again from another process, durably. Never a bare pid.
struct SandboxIdentity {
  pid_t pid = 0;
  uint64_t start_time = 0;  // field 22 of /proc/pid/stat, clock ticks since boot
  std::string boot_id;
  uint64_t generation = 0;
  std::string cgroup;
  std::string control_socket;
  std::string exit_journal;
  bool own_network = false;  // a network namespace of its own
};

struct Sandbox {
  SandboxIdentity identity;
  Fd pidfd;  // readable when init has ended
  InitConnection connection;
  std::vector<std::string> degraded = {};  // what is weaker than asked for, with causes
  std::string disk_quota =
      {};  // k_disk_..., how the limit of the work directory is kept; "" without one
  // With egress, of a new sandbox: our end of the link to its init, for the egress process.
  Fd egress_link = {};
};
// Nobody but the owner of the sandbox keeps it: he has a DiskWatch.
inline constexpr std::string_view k_disk_watched = "watched";
// The file system does: writes beyond it fail.
inline constexpr std::string_view k_disk_project = "project quota";

struct AttemptUsage {
  AttemptId attempt = 0;
  uint32_t slot = 0;
  WallTime started_at;
  uint64_t memory_bytes = 0;
  std::optional<uint64_t> memory_peak_bytes;  // cgroup v2 tells it at the end only
  Duration cpu;
  uint32_t processes = 0;
  // Of the whole sandbox while the attempt runs, as in AttemptExit.
  Duration cpu_throttled;
  uint64_t pids_refused = 0;
  uint64_t io_read_bytes = 0, io_written_bytes = 0;  // of its living processes
};

// One command in a sandbox of its own, and how it ended.
struct OneCommand {
  std::vector<std::string> argv, env;  // as in StartRequest
  Duration timeout;                    // 0: none
  Duration grace = Duration::seconds(5);
  bool terminal = false;  // descriptor 0 is one whose foreground the command gets
  // With egress: names that DNS does not know, as in hosts(5), and whom injections trust in place
  // of the machine's authorities. "": none, and the machine's.
  std::string egress_hosts_file, egress_authorities;
};
struct OneEnd {
  AttemptExit exit;
  std::vector<std::string> degraded;
  std::vector<EgressRefused> refused;       // each once, with its count
  bool egress_died = false;                 // and was started again
  std::vector<LearnedUse> learned = {};     // with options.learn
  std::vector<EgressReached> reached = {};  // likewise
};

struct ResourceUsage {
  uint64_t memory_bytes = 0;
  uint64_t memory_peak_bytes = 0;
  Duration cpu;  // since the sandbox was made
  uint32_t pids = 0;
  uint64_t oom_kills = 0;
  Duration cpu_throttled;     // that its processes waited for their share of the processors
  uint64_t pids_refused = 0;  // processes that it could not start
  // From and to disks: of attempts that ended, and of processes that live. Not of those whose
  // parent lives and has waited for them.
  uint64_t io_read_bytes = 0, io_written_bytes = 0;
  // Through all interfaces of its own network namespace, the loopback among them; nullopt when it
  // has the host's.
  std::optional<uint64_t> net_received_bytes, net_sent_bytes;
  std::vector<AttemptUsage> attempts;  // that run now; empty when its init does not tell
};

// How this machine lets us limit and kill (found by trying; what takes time, when it is asked for).
enum class CgroupMode : uint8_t { none, v1, hybrid, v2 };
struct HostFeatures {
  CgroupMode cgroups = CgroupMode::none;
  bool memory = false, cpu = false, pids = false;  // controllers that we can use
  bool cgroup_kill = false;
  int landlock_abi = 0;
  bool namespaces = false;  // mount, pid, net, ipc, uts (through a user namespace when not root)
  bool idmapped_mounts = false;
  std::string lacking;  // "" or what is lacking and the command that mends it
};

// One thread at a time (the supervisor's launcher thread); get_resource_usage from any thread.
class IsolationManager {
 public:
  // `init_binary`: path of the static fabric-init; copied once into a sealed memfd.
  // `cgroup_root`: name of the group, below our own, under which all sandboxes of a workspace live.
  static Result<IsolationManager> open(const std::string& init_binary,
                                       const std::string& cgroup_root);

  [[nodiscard]] const HostFeatures& features() const;
  // Refused with ErrorCode::unavailable, and what to type, when this machine cannot do it.
  [[nodiscard]] Status check(const SandboxSpec& spec) const;

  // Makes a sandbox from `spec` (its slots, socket, journal, generation and cgroup are not used; no
  // work_dir: an empty one in memory), runs one command in it with descriptors 0, 1 and 2 of this
  // process and waits for its end. SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 go to the
  // command meanwhile. Needs no manager: what takes long is done while the init builds already.
  static Result<OneEnd> run_once(const std::string& init_binary, const SandboxSpec& spec,
                                 const OneCommand& command);

  // Blocks until init says that it is ready (a millisecond) or why it is not. On failure nothing is
  // left: no process, cgroup, socket or mount.
  Result<Sandbox> create_sandbox(const SandboxSpec& spec);

  // Connects to a living sandbox that an earlier supervisor made. not_found when it is provably
  // dead (other boot, or pid gone or reused).
  Result<Sandbox> adopt_sandbox(const SandboxIdentity& identity);

  // Kills everything in it by cgroup and pid namespace, waits until it is empty, removes cgroups
  // and socket. Idempotent; works from the durable identity alone.
  Status destroy_sandbox(const SandboxIdentity& identity);

  // Groups below cgroup_root whose name is not in `known`: left over from a crash between making
  // a cgroup and committing it. Kills and removes them; says how many.
  Result<size_t> remove_unknown(const std::vector<std::string>& known);

  // The groups of cgroup_root, when no sandbox is left in them. The last call to a manager.
  void remove_empty_root();

  [[nodiscard]] Result<ResourceUsage> get_resource_usage(const SandboxIdentity& identity) const;

  IsolationManager(IsolationManager&&) noexcept;
  IsolationManager& operator=(IsolationManager&&) noexcept;
  ~IsolationManager();

 private:
  struct State;
  explicit IsolationManager(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fabric
