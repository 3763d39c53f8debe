// SPDX-License-Identifier: Apache-2.0
// What the supervisor and fabric-init say to each other. Plain structs, fixed sizes, C headers
// only: the init is built against musl without a C++ library.
//
// The control socket is SOCK_SEQPACKET: a packet is one Header and `size` bytes after it. A message
// longer than a packet is cut into several, all but the last flagged k_more; only START, LINE and
// WORKER_LINE may be. Descriptors travel with the first packet of a message.
//
//   at birth (one end of a socket pair is descriptor 3 of the init):
//     supervisor  SPEC + descriptors          init  READY, or FAILED and exit
//     supervisor  GO                          init  STATE, and from now on this is the connection
//   a later supervisor connects to the listening socket: init says STATE, the older connection is
//   closed, and every exit and line that was not acknowledged is sent again.
//
//   one command and no more (k_one_shot): neither READY nor STATE; SPEC has no descriptors, they
//   come with PARTS while the init builds already. START may follow at once. The init says EXIT, or
//   FAILED, and ends; it ends too when its maker does.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace fabric::wire {

constexpr uint32_t k_version = 2;
constexpr uint32_t k_max_packet = 32U << 10;  // header included
constexpr uint32_t k_max_spec = 96U << 10;    // one packet, sent once while the queue is empty
constexpr uint32_t k_max_slots = 64;
constexpr uint32_t k_max_strings = 8192;  // argv and env together
constexpr uint32_t k_max_variables = 64;  // that a spec adds to the environment of tasks
constexpr uint32_t k_max_start = 128U << 10;
constexpr uint32_t k_max_line = 1U << 20;            // from a worker
constexpr uint32_t k_max_request = 2U << 20;         // to a worker
constexpr uint32_t k_max_queued_input = 4U << 20;    // bytes that a worker has not read yet
constexpr uint32_t k_max_unacknowledged = 4U << 20;  // bytes of a worker's lines

enum MessageType : uint16_t {
  k_spec = 1,
  k_ready,
  k_failed,
  k_go,
  k_parts,  // of k_one_shot, in the place of GO; value: PartFlags
  // supervisor to init
  k_start = 16,  // value: the no-progress limit in ns, 0: none (an init older than it overlooks it)
  k_signal,      // value: signal number
  k_stop,        // value: grace in ns
  k_kill,
  k_line,  // bytes for the worker's stdin; value: key (init_connection.hpp)
  k_ack_exit,
  k_ack_line,       // value: sequence; acknowledges all lines up to it
  k_shut_down,      // value: grace in ns
  k_net_link = 26,  // with a new link to the egress process (model/egress_wire.hpp)
  // value: Reason. Ends at once what runs in the sandbox, and thaws it: a limit that is watched
  // from outside was passed. Body: what the exits say.
  k_over_limit = 31,
  // init to supervisor
  k_state = 32,    // body: StateEntry[]
  k_started,       // value: pid in the init's namespace; with a pidfd where namespaces differ
  k_exit,          // body: ExitRecord
  k_worker_line,   // value: sequence
  k_violation,     // body: ViolationRecord
  k_learned = 38,  // value: LearnedKind, and the number of the call above; body: the path
};
enum PacketFlags : uint16_t { k_more = 1, k_first = 2, k_truncated = 4 };

struct Header {
  uint16_t type;
  uint16_t flags;
  uint32_t size;
  uint64_t attempt;
  uint64_t value;
};
static_assert(sizeof(Header) == 24);

struct StateEntry {
  uint64_t attempt;
  uint32_t slot;
  uint32_t ended;  // 1: its exit follows, unacknowledged
};
static_assert(sizeof(StateEntry) == 16);

// Body of START; then argc + envc strings, each with its NUL.
enum StartFlags : uint32_t {
  k_worker = 1,
  k_has_input = 2,
  k_has_output = 4,
  k_has_error = 8,
  k_announce = 16,  // say STARTED
  k_direct = 32,    // the three descriptors become 0, 1 and 2 themselves: no pipes, nothing relayed
};
struct StartHead {
  uint32_t slot;
  uint32_t flags;
  int64_t deadline_ns;  // CLOCK_MONOTONIC; 0: none
  int64_t grace_ns;
  uint64_t output_limit;
  int32_t stop_signal;
  uint32_t argc;
  uint32_t envc;
  uint32_t text_size;
};
static_assert(sizeof(StartHead) == 48);

// How an attempt ended; also the record of the exit journal (exit_journal.hpp).
struct ExitRecord {
  uint32_t magic;
  uint32_t checksum;  // of all bytes after it
  uint64_t sequence;
  uint64_t attempt;
  int32_t reason;  // fabric::EndReason
  int32_t exit_code;
  int32_t signal;
  uint32_t limits;  // LimitsMet
  uint64_t cpu_ns;
  uint64_t memory_peak;
  uint64_t stdout_bytes, stderr_bytes;
  uint64_t stdout_dropped, stderr_dropped;
  int64_t ended_at_us;
  char message[128];
  // Of the whole sandbox while the attempt ran; where two run at once it is not known whose.
  uint64_t throttled_ns;
  uint64_t pids_refused;
  uint64_t io_read,
      io_written;  // bytes that went to and from disks, of what its parents waited for
};
static_assert(sizeof(ExitRecord) == 256);
constexpr uint32_t k_exit_magic = 0x32585346;        // "FSX2"
constexpr uint32_t k_exit_magic_first = 0x31585346;  // "FSX1": the message took the last 160
constexpr uint32_t k_journal_records = 256;  // a ring; also the most exits kept unacknowledged

enum Reason : int32_t {
  k_exited = 0,
  k_timed_out,
  k_stopped,
  k_memory,
  k_not_started,
  k_no_progress,
  k_disk,
};
// What happened beside the reason.
enum LimitsMet : uint32_t {
  k_met_memory = 1,  // a process of it was killed, though perhaps not the main one
};

// FNV-1a: finds torn and stray bytes; nobody who could forge a record lacks the file itself.
inline uint32_t checksum(const ExitRecord& record) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(&record);
  uint32_t hash = 2166136261U;
  for (size_t i = offsetof(ExitRecord, sequence); i < sizeof record; ++i)
    hash = (hash ^ bytes[i]) * 16777619U;
  return hash;
}

// What runs in a slot now, for whoever asks how much it uses: behind the ring of the journal, one
// for each slot. The counters are those of the slot's groups when the attempt began.
struct SlotRecord {
  uint64_t attempt;  // 0: nothing
  int64_t started_at_us;
  uint64_t cpu_before_us, throttled_before_ns, refused_before;
  uint64_t io_read, io_written;  // of all attempts that ended in this slot
  uint64_t reserved;
};
static_assert(sizeof(SlotRecord) == 64);
constexpr uint32_t k_slot_records_at = k_journal_records * sizeof(ExitRecord);

// A call that the filter denied. Nobody acknowledges it: it may be lost when connections change.
struct ViolationRecord {
  uint64_t attempt;
  int64_t at_us;
  uint64_t arguments[6];  // those that the rule looks at; the others are 0
  int32_t pid;            // in the pid namespace of the init
  int32_t call;
  int32_t error;
  uint32_t count;  // since the last record that was the same
  char process[16];
  char rule[64];
};
static_assert(sizeof(ViolationRecord) == 160);

// What a sandbox was used for, told once; lost with the connection.
enum LearnedKind : uint32_t {
  k_learned_read = 1,
  k_learned_list,   // a directory
  k_learned_write,  // was tried, outside of what it may change
  k_learned_execute,
  k_learned_withheld,  // is covered, though it is shown more than usual
  k_learned_call,
};

// SPEC: SpecHead, MountOp[mount_count], Instruction[filter_count], DenialRule[denial_count],
// text[text_size]. Strings are offsets into text, each NUL-terminated. Descriptors, in this order:
// listening socket, journal, the work tree (k_work_tree), at level container those of
// ContainerFlags, the trees of mounts with k_tree_given,
// the link (k_egress), then for each slot its leaf in the unified hierarchy (k_unified) and in the
// v1 memory hierarchy (k_memory_v1), then the sandbox's cpu.stat (k_cpu_stat) and pids.events
// (k_pids_events), open for reading. With k_one_shot only those of ContainerFlags, the trees and
// the link.
enum SpecFlags : uint32_t {
  k_walls = 1,           // level process: namespaces and new root; else level none
  k_user_namespace = 2,  // made by an ordinary user
  k_change_user = 4,     // become uid, gid
  k_work_tree = 8,       // the work directory comes as a detached mount
  k_unified = 16,
  k_memory_v1 = 32,
  k_cgroup_namespace = 64,
  k_memory_v2 = 128,  // the unified leaf has a memory controller
  k_one_shot = 1024,
  k_egress = 2048,              // a link to the egress process comes along, after the work tree
  k_landlock_required = 16384,  // refuse when the kernel has no Landlock that serves
  k_cpu_stat = 1U << 16,
  k_pids_events = 1U << 17,
  k_terminal = 1U << 18,   // the command keeps the session of its maker, for job control
  k_container = 1U << 24,  // level container: a root of its own, see ContainerHead
  k_learn = 1U << 25,      // calls that the filter tells of are noted, and go on
};
// Level container. The root is an overlay: what fabric puts in (mount points, files of /etc), on
// top of the lower directory, beneath the upper one, to which all changes go.
enum ContainerFlags : uint32_t {
  k_lower_given = 1,   // the lower directory comes as a detached mount, else by path
  k_upper_given = 2,   // likewise; in it are the directories k_upper_name and k_overlay_work_name
  k_range_lock = 4,    // a descriptor that keeps the range of ids ours; nothing is done with it
  k_upper_memory = 8,  // upper is in memory, of upper_bytes
};
constexpr const char* k_upper_name = "upper";
constexpr const char* k_overlay_work_name = "work";
struct ContainerHead {
  uint32_t flags;         // ContainerFlags; descriptors: lower, upper, lock
  uint32_t lower, upper;  // paths of the host, where they are not given
  uint32_t start_dir;     // where commands start
  uint64_t upper_bytes;
};
static_assert(sizeof(ContainerHead) == 24);
// 0: none.
struct TaskLimits {
  uint64_t open_files;  // and as many more as it asks for, up to max_open_files
  uint64_t max_open_files;
  uint64_t file_size;
  uint64_t pending_signals;
  uint64_t output_rate;  // bytes a second of each stream
};
// Descriptors of PARTS, in this order; whatever follows them are `tasks` files of v1 groups, to
// each of which the command's process writes 0. k_part_standard: what will be 0, 1 and 2, so that
// the command may open /dev/stdin and its like for what they are open for.
enum PartFlags : uint64_t {
  k_part_work = 1,
  k_part_standard = 8,  // three
  k_part_unified = 2,
  k_part_memory = 4,
};
constexpr uint32_t k_max_joins = 8;
struct SpecHead {
  uint32_t version;
  uint32_t flags;
  uint32_t slots;
  uint32_t uid, gid;
  uint32_t journal_next;  // ring position of the next record
  uint64_t journal_sequence;
  int64_t orphan_grace_ns;
  TaskLimits limits;
  uint32_t work_dir, host_name, probe, path_env;
  uint32_t mount_count, filter_count, text_size, denial_count;
  uint32_t networks;  // with k_egress: "ADDRESS/PREFIX ..." that are to be local
  uint32_t reserved;
  ContainerHead container;
};
static_assert(sizeof(SpecHead) == 80 + sizeof(TaskLimits) + sizeof(ContainerHead));

enum MountKind : uint32_t {
  k_directory,  // mkdir target, mode argument
  k_symlink,    // target -> source
  k_text_file,  // target with the text of source
  k_bind_dir,   // host directory, read-only, recursive
  k_bind_file,  // host file, read-only
  k_device,     // host device node
  k_work,       // the work directory, read-write
  k_tmpfs,      // argument: bytes, or 0
  k_proc,
  k_devpts,
  k_read_only,  // target itself becomes read-only, if it exists
  k_hide,       // target becomes /dev/null or an empty directory, if it exists
  k_secret,     // file of the agent's own, mode 0400; source: `argument` bytes, which may be any
  k_variable,   // source: NAME=VALUE for the environment of every task
  // Below here targets are opened without following links: agents write on the way to them.
  k_tree,      // host tree at target; argument: k_tree_read_only, k_tree_given
  k_pin,       // target is mounted on itself, so that it cannot be renamed or removed
  k_no_write,  // the same, read-only; argument: k_if_exists, k_make
  k_cover,     // target shows nothing; argument: k_if_exists, k_make, k_cover_open
  k_close,     // target, covered with k_cover_open, becomes read-only
  k_allow,     // Landlock: what may be done beneath target; argument: rights of <linux/landlock.h>
  k_pattern,   // what matches target beneath source is protected; argument: k_pattern_hides
  k_default_variable = 64,  // source: NAME=VALUE for the environment of tasks that have no NAME
};
enum MountArgument : uint32_t {
  k_tree_read_only = 1,
  k_tree_given = 2,  // a descriptor of the spec, in order; else the path in `source` is opened
  k_if_exists = 4,
  k_cover_open = 8,  // directories for further trees can be made in it
  k_make = 16,       // k_cover, k_no_write: a directory is made where nothing is
  k_pattern_hides = 32,
  k_shown_to_learn = 64,  // of k_bind_dir, k_bind_file, k_symlink: there only while it learns
};
constexpr uint32_t k_max_trees = 64;
// Bits of Landlock as of its fifth version; the init leaves out what the kernel does not know.
enum LandlockRight : uint32_t {
  k_allow_execute = 1,
  k_allow_write = 2,
  k_allow_read = 4,
  k_allow_list = 8,
  k_allow_truncate = 1U << 14,
  k_allow_ioctl = 1U << 15,
  k_allow_all = (1U << 16) - 1,
  k_allow_if_there = 1U << 20,  // nothing when target is missing or reached through a link
};
struct MountOp {
  uint32_t kind;
  uint32_t source, target;  // target is relative to the new root
  uint32_t reserved;
  uint64_t argument;
};
static_assert(sizeof(MountOp) == 24);

struct Instruction {  // struct sock_filter
  uint16_t code;
  uint8_t jt, jf;
  uint32_t k;
};
static_assert(sizeof(Instruction) == 8);

// What the filter's SECCOMP_RET_TRACE results mean, by their number (seccomp_filter.hpp).
struct DenialRule {
  uint32_t name;
  int32_t error;
  uint32_t arguments;  // bits of those that tell one denial from another
  uint32_t report;     // 0: denied silently, 1: told, k_goes_on: noted (learn.cpp), not denied
};
static_assert(sizeof(DenialRule) == 16);
constexpr uint32_t k_goes_on = 2;
constexpr uint32_t k_max_denial_rules = 1024;

}  // namespace fabric::wire
