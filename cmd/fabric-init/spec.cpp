// SPDX-License-Identifier: Apache-2.0
#include "spec.hpp"

#include <sys/socket.h>

#include "sys.hpp"

namespace fabric::init {

namespace {

constexpr size_t k_max_fds = 9 + wire::k_max_trees + 2 * size_t{wire::k_max_slots};

alignas(8) unsigned char packet[wire::k_max_spec];

bool well_formed(const Spec& spec, size_t size) {
  const wire::SpecHead& head = *spec.head;
  if (head.slots == 0 || head.slots > wire::k_max_slots) return false;
  if (head.mount_count > 1024 || head.filter_count > 4096 ||
      head.denial_count > wire::k_max_denial_rules)
    return false;
  if (head.text_size == 0 || head.text_size > wire::k_max_spec) return false;
  size_t expected = sizeof head + head.mount_count * sizeof(wire::MountOp) +
                    head.filter_count * sizeof(wire::Instruction) +
                    head.denial_count * sizeof(wire::DenialRule) + head.text_size;
  if (size != expected || spec.text[head.text_size - 1] != 0) return false;
  if (head.work_dir >= head.text_size || head.host_name >= head.text_size ||
      head.probe >= head.text_size || head.path_env >= head.text_size ||
      head.networks >= head.text_size || head.container.lower >= head.text_size ||
      head.container.upper >= head.text_size || head.container.start_dir >= head.text_size ||
      head.journal_next >= wire::k_journal_records)
    return false;
  for (uint32_t i = 0; i < head.mount_count; ++i)
    if (spec.mounts[i].source >= head.text_size || spec.mounts[i].target >= head.text_size ||
        (spec.mounts[i].kind == wire::k_secret &&
         spec.mounts[i].argument > head.text_size - spec.mounts[i].source))
      return false;
  for (uint32_t i = 0; i < head.denial_count; ++i)
    if (spec.denials[i].name >= head.text_size) return false;
  return true;
}

// Of the mounts that say so, in their order.
template <class Take>
bool take_trees(Spec& spec, Take take) {
  for (uint32_t i = 0, trees = 0; i < spec.head->mount_count; ++i) {
    const wire::MountOp& op = spec.mounts[i];
    if (op.kind != wire::k_tree || (op.argument & wire::k_tree_given) == 0) continue;
    if (trees == wire::k_max_trees || !take(spec.trees[trees++])) return false;
  }
  return true;
}

template <class Take>
bool take_container(Spec& spec, Take take) {
  if (!spec.has(wire::k_container)) return true;
  const uint32_t flags = spec.head->container.flags;
  return ((flags & wire::k_lower_given) == 0 || take(spec.lower)) &&
         ((flags & wire::k_upper_given) == 0 || take(spec.upper)) &&
         ((flags & wire::k_range_lock) == 0 || take(spec.range_lock));
}

bool take_descriptors(Spec& spec, const int* fds, size_t count) {
  size_t next = 0;
  auto take = [&](int& to) {
    if (next >= count) return false;
    to = fds[next++];
    return true;
  };
  if (spec.has(wire::k_one_shot))
    return take_container(spec, take) && take_trees(spec, take) &&
           (!spec.has(wire::k_egress) || take(spec.link)) && next == count;
  if (!take(spec.listener) || !take(spec.journal)) return false;
  if (spec.has(wire::k_work_tree) && !take(spec.work_tree)) return false;
  if (!take_container(spec, take) || !take_trees(spec, take)) return false;
  if (spec.has(wire::k_egress) && !take(spec.link)) return false;
  for (uint32_t i = 0; i < spec.head->slots; ++i) {
    if (spec.has(wire::k_unified) && !take(spec.leaves[i].unified)) return false;
    if (spec.has(wire::k_memory_v1) && !take(spec.leaves[i].memory)) return false;
  }
  if (spec.has(wire::k_cpu_stat) && !take(spec.cpu_stat)) return false;
  if (spec.has(wire::k_pids_events) && !take(spec.pids_events)) return false;
  return next == count;
}

// One packet and its descriptors; what does not fit is refused. Exits when the supervisor is gone.
size_t receive(wire::Header& header, void* body, size_t room, int* fds, size_t& count) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * k_max_fds)];
  iovec parts[2] = {{&header, sizeof header}, {body, room}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got;
  do {
    got = recvmsg(k_setup_fd, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got == 0) _exit(0);
  if (got < 0) refuse("receiving the spec", "", errno);
  count = 0;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(c), count * sizeof(int));
  }
  const size_t size = static_cast<size_t>(got) - sizeof header;
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
      static_cast<size_t>(got) < sizeof header || header.size != size)
    refuse("reading the spec", "malformed", EPROTO);
  return size;
}

}  // namespace

void receive_parts(Spec& spec) {
  if (spec.has_parts) return;
  spec.has_parts = true;
  wire::Header header{};
  int fds[k_max_fds];
  size_t count = 0;
  receive(header, nullptr, 0, fds, count);
  if (header.type != wire::k_parts) refuse("reading the parts", "malformed", EPROTO);
  size_t next = 0;
  if ((header.value & wire::k_part_work) != 0 && next < count) spec.work_tree = fds[next++];
  if ((header.value & wire::k_part_standard) != 0)
    for (int& fd : spec.standard)
      if (next < count) fd = fds[next++];
  if ((header.value & wire::k_part_unified) != 0 && next < count)
    spec.leaves[0].unified = fds[next++];
  if ((header.value & wire::k_part_memory) != 0 && next < count)
    spec.leaves[0].memory = fds[next++];
  while (next < count && spec.join_count < wire::k_max_joins)
    spec.joins[spec.join_count++] = fds[next++];
  if (next != count) refuse("reading the parts", "malformed", EPROTO);
}

void receive_spec(Spec& spec) {
  wire::Header header{};
  int fds[k_max_fds];
  size_t count = 0;
  const size_t size = receive(header, packet, sizeof packet, fds, count);
  spec.head = reinterpret_cast<const wire::SpecHead*>(packet);
  bool ok = size >= sizeof(wire::SpecHead) && header.type == wire::k_spec;
  if (ok && spec.head->version != wire::k_version) refuse("reading the spec", "version", EPROTO);
  if (ok) {
    spec.mounts = reinterpret_cast<const wire::MountOp*>(packet + sizeof(wire::SpecHead));
    spec.filter = reinterpret_cast<const wire::Instruction*>(spec.mounts + spec.head->mount_count);
    spec.denials = reinterpret_cast<const wire::DenialRule*>(spec.filter + spec.head->filter_count);
    spec.text = reinterpret_cast<const char*>(spec.denials + spec.head->denial_count);
    // The counts are not trusted before this: text may point outside.
    ok = spec.head->mount_count <= 1024 && spec.head->filter_count <= 4096 &&
         spec.head->denial_count <= wire::k_max_denial_rules &&
         spec.text + spec.head->text_size == reinterpret_cast<const char*>(packet) + size &&
         well_formed(spec, size) && take_descriptors(spec, fds, count);
  }
  if (!ok) refuse("reading the spec", "malformed", EPROTO);
}

}  // namespace fabric::init
