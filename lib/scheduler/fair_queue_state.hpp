// SPDX-License-Identifier: Apache-2.0
// What a FairQueue keeps. Private to fair_queue*.cpp.
//
// Lanes that may start are held in plain arrays, one a level, and shares that may start in another,
// so a pick reads a few contiguous numbers. What opens and closes them (an agent that is busy, a
// pool or a label that is full) is written down at once and applied by the next pick that finds
// anything to start at all: where slots are the limit they close and open again between two picks,
// and then nothing has to be moved.
#pragma once

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "scheduler/fair_queue.hpp"

namespace fabric::fair {

struct Share;
struct Level;
struct Queue;
struct Pool;
struct Class;

constexpr double k_never = -std::numeric_limits<double>::infinity();

// A share, a level of a share, or a queue of a level. In seconds of slot time over weight: a double
// is exact to the microsecond for a century of one slot.
struct Node {
  double settled = 0;      // of what has ended
  double outstanding = 0;  // charges of what runs
  double lag = 0;          // how far behind its parent's time it was when it last started something
  double owed = 0;         // how far behind it may be when it comes back; 0: it idled
  uint32_t running = 0;
  uint32_t ready_lanes = 0;
  bool startable = false;

  [[nodiscard]] double time() const { return settled + outstanding; }
  [[nodiscard]] bool idle() const { return running == 0 && ready_lanes == 0; }
  // Its time on coming back when its parent stands at `parent`. After idling: not behind the
  // others. After being blocked (paused, no free agent): behind by no more than it was when it last
  // started something or when it was blocked. Without this a share that was paused for a day would
  // then have the machine for a day. One that ran something meanwhile may be behind by the largest
  // step of the others too (times their number for shares): a share whose one agent is busy is
  // blocked for as long as each of its tasks runs, the others move on in steps of whole tasks, and
  // a clamp at each step would cost it a quarter of its time.
  [[nodiscard]] double time_back(double parent) const { return std::max(time(), parent - owed); }
  void come_back(double parent) { settled += time_back(parent) - time(); }
};

struct LaneEntry {
  Class* of_class = nullptr;
  uint64_t ready = 0;
};

constexpr uint32_t k_nowhere = UINT32_MAX;

struct QueueNode : Node {
  Queue* queue = nullptr;
  Level* level = nullptr;
  std::vector<LaneEntry> lanes;   // those with ready tasks, by number of class
  uint32_t open_lanes = 0;        // of those, with an open class, as far as applied
  uint32_t position = k_nowhere;  // in Level::open
};

struct OpenQueue {
  double time;
  QueueNumber number;
  QueueNode* node;
};

struct Level : Node {
  Share* share = nullptr;
  uint32_t number = 0;
  double now = 0;   // virtual time of its queues
  double step = 0;  // the largest charge of late of one of them
  double top = 0;   // the largest time that a queue of it had
  std::map<QueueNumber, QueueNode> queues;
  std::vector<OpenQueue> open;
  // Queues with nothing to do that are ahead of `now`: forgotten when it has passed them, else one
  // that comes and goes would never wait for the others.
  std::set<std::pair<double, QueueNumber>> ahead;
};

struct Share : Node {
  ShareNumber number = 0;
  uint32_t weight = 1;
  bool paused = false;
  bool changed = false;  // since take_changed_shares
  double now = 0;        // virtual time of its levels
  double step = 0;       // the largest charge of late of one of them
  std::array<Level, k_priority_levels> levels;
  uint8_t mask = 0;               // levels that may start, bit 0 the most urgent
  uint8_t offered = 0;            // the same for one agent, during pick_for
  uint32_t position = k_nowhere;  // in State::startable
};

struct Agent {
  QueueNumber number = 0;
  uint32_t slots = 0;
  uint32_t running = 0;
  bool automatic = false;
  bool present = false;
  bool listed = false;  // in the free sets of its queues
  double load = 0;      // as listed there
  Pool* pool = nullptr;
  std::vector<Queue*> queues;

  [[nodiscard]] bool has_slot() const { return present && running < slots; }
};

struct FreeAgent {
  double load;  // running / slots
  QueueNumber number;
  auto operator<=>(const FreeAgent&) const = default;
};

// Agents of one pool that may take a task of the queue now.
struct FreeOfPool {
  Pool* pool = nullptr;
  std::set<FreeAgent> agents;
};

struct Queue {
  QueueNumber number = 0;
  bool paused = false;
  bool open = false;  // as far as applied
  bool dirty = false;
  uint32_t ready_lanes = 0;
  std::vector<Agent*> servers;
  std::vector<FreeOfPool> free;
  std::vector<QueueNode*> nodes;
  std::optional<double> average;  // seconds that its tasks ran
};

struct Pool {
  std::string name;
  uint32_t slots = 0;
  uint32_t running = 0;
  bool applied_full = false;
  bool dirty = false;
  uint32_t live = 0;  // queues that only wait for a slot of this pool or of the workspace
  std::map<QueueNumber, uint32_t> queues;  // that agents of it serve, and how many of them

  [[nodiscard]] bool full() const { return slots != 0 && running >= slots; }
};

struct Label {
  uint32_t slots = 0;
  uint32_t in_use = 0;
  std::vector<Class*> classes;
};

struct LabelDemand {
  std::string name;
  Label* label = nullptr;
  uint32_t count = 1;
};
using Demands = std::shared_ptr<const std::vector<LabelDemand>>;

struct Class {
  uint32_t number = 0;
  Demands demands;  // null: none
  bool open = true;
  bool applied_open = true;
  bool dirty = false;
  std::map<std::tuple<ShareNumber, uint32_t, QueueNumber>, QueueNode*> nodes;  // with ready tasks
};

struct IdleNode {
  ShareNumber share;
  Priority level;
  QueueNumber queue;
};

struct Running {
  Agent* agent = nullptr;
  QueueNode* node = nullptr;
  Demands demands;
  MonoTime since;
  MonoTime due;  // when it has run for as long as it was charged
  double charged = 0;
  double share_weight = 1;
};

}  // namespace fabric::fair

namespace fabric {

struct FairQueue::State {
  LevelWeights weights;
  uint32_t slots = 0;
  uint32_t running = 0;
  bool paused = false;
  uint32_t pressure = 0;
  std::array<bool, k_priority_levels> level_paused{};
  double now = 0;                 // virtual time of the shares
  double step = 0;                // the largest charge of late of one of them
  double high = 0;                // the largest time of a share with nothing running
  std::optional<double> average;  // seconds that any task ran

  std::map<ShareNumber, fair::Share> shares;
  std::map<QueueNumber, fair::Queue> queues;
  std::map<QueueNumber, fair::Agent> agents;
  std::map<std::string, fair::Pool> pools;
  std::map<std::string, fair::Label> labels;
  std::map<uint32_t, fair::Class> classes;
  std::unordered_map<uint64_t, fair::Running> attempts;  // never iterated
  std::set<std::pair<MonoTime, uint64_t>> due;

  std::vector<fair::Share*> startable;
  std::vector<fair::Queue*> dirty_queues;
  std::vector<fair::Pool*> dirty_pools;
  std::vector<fair::Class*> dirty_classes;
  std::vector<fair::IdleNode> maybe_idle;
  std::vector<ShareNumber> changed;
  uint64_t ready_lanes = 0;
  uint64_t live_queues = 0;  // that have tasks, a free agent and a slot in its pool
  uint64_t open_lanes = 0;   // lanes whose class is open

  // fair_queue_nodes.cpp: who exists, and who may start
  fair::Share& share_of(ShareNumber number);
  fair::Queue& queue_of(QueueNumber number);
  fair::Agent& agent_of(QueueNumber number);
  fair::Pool& pool_of(const std::string& name);
  fair::Class& class_of(uint32_t number);
  fair::QueueNode& node_of(const Lane& lane);
  [[nodiscard]] const fair::QueueNode* find_node(const Lane& lane) const;
  [[nodiscard]] bool level_open(uint32_t level) const;
  [[nodiscard]] double share_leeway() const;
  void refresh(fair::QueueNode& node);
  void refresh(fair::Level& level);
  void refresh(fair::Share& share);
  void refresh_levels();
  void wake(fair::QueueNode& node);
  void lane_begins(fair::QueueNode& node, fair::Class& of_class, uint64_t ready);
  void lane_ends(fair::QueueNode& node, fair::Class& of_class);
  void count_live(fair::Queue& queue, bool more);
  void count_live(fair::Pool& pool, bool more);
  void touch(fair::Queue& queue);
  void touch(fair::Class& of_class);
  void apply();
  void note_idle(fair::QueueNode& node);
  void settle_idle();
  void settle_idle(fair::QueueNode& node);
  void drop(fair::QueueNode& node);
  void drop_if_unused(fair::Queue& queue);

  // fair_queue_agents.cpp: agents, pools, labels
  void relist(fair::Agent& agent);
  void leave(fair::Agent& agent);
  void join(fair::Agent& agent, std::vector<QueueNumber> queue_numbers);
  void move_to(fair::Agent& agent, fair::Pool& pool);
  void drop_if_unused(fair::Agent& agent);
  void pool_changed(fair::Pool& pool, bool was_full);
  void add_running(fair::Agent& agent, int change);
  void add_in_use(const fair::Demands& demands, bool more);
  void check(fair::Class& of_class);

  // fair_queue_charge.cpp: virtual time
  [[nodiscard]] double guess(const fair::Queue& queue) const;
  void advance(fair::QueueNode& node, double guess);
  void start(uint64_t attempt_id, QueueNumber agent, const Lane& lane, MonoTime since,
             double charged, MonoTime now);
  void charge(fair::Running& task, double seconds);
  void charge_due(MonoTime now);
  void settle(fair::Running& task, double seconds);
  void mark_changed(fair::Share& share);
};

namespace fair {
bool queue_open(const Queue& queue);
bool has_free(const LabelDemand& demand);
bool all_free(const Demands& demands);
}  // namespace fair

}  // namespace fabric
