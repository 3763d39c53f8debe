// SPDX-License-Identifier: Apache-2.0
#include "spec.hpp"

#include <sys/socket.h>

#include "sys.hpp"

namespace fabric::init {

namespace {

constexpr size_t k_max_fds = 3 + wire::k_max_trees + 2 * size_t{wire::k_max_slots};

alignas(8) unsigned char packet[wire::k_max_spec];

bool well_formed(const Spec& spec, size_t size) {
  const wire::SpecHead& head = *spec.head;
  if (head.slots == 0 || head.slots > wire::k_max_slots) return false;
  if (head.mount_count > 1024 || head.filter_count > 4096) return false;
  if (head.text_size == 0 || head.text_size > wire::k_max_spec) return false;
  size_t expected = sizeof head + head.mount_count * sizeof(wire::MountOp) +
                    head.filter_count * sizeof(wire::Instruction) + head.text_size;
  if (size != expected || spec.text[head.text_size - 1] != 0) return false;
  if (head.work_dir >= head.text_size || head.host_name >= head.text_size ||
      head.probe >= head.text_size || head.path_env >= head.text_size ||
      head.journal_next >= wire::k_journal_records)
    return false;
  for (uint32_t i = 0; i < head.mount_count; ++i)
    if (spec.mounts[i].source >= head.text_size || spec.mounts[i].target >= head.text_size)
      return false;
  return true;
}

bool take_descriptors(Spec& spec, const int* fds, size_t count) {
  size_t next = 0;
  auto take = [&](int& to) {
    if (next >= count) return false;
    to = fds[next++];
    return true;
  };
  if (!take(spec.listener) || !take(spec.journal)) return false;
  if (spec.has(wire::k_work_tree) && !take(spec.work_tree)) return false;
  for (uint32_t i = 0, trees = 0; i < spec.head->mount_count; ++i) {
    const wire::MountOp& op = spec.mounts[i];
    if (op.kind != wire::k_tree || (op.argument & wire::k_tree_given) == 0) continue;
    if (trees == wire::k_max_trees || !take(spec.trees[trees++])) return false;
  }
  for (uint32_t i = 0; i < spec.head->slots; ++i) {
    if (spec.has(wire::k_unified) && !take(spec.leaves[i].unified)) return false;
    if (spec.has(wire::k_memory_v1) && !take(spec.leaves[i].memory)) return false;
  }
  return next == count;
}

}  // namespace

void receive_spec(Spec& spec) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * k_max_fds)];
  wire::Header header{};
  iovec parts[2] = {{&header, sizeof header}, {packet, sizeof packet}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got;
  do {
    got = recvmsg(k_setup_fd, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got == 0) _exit(0);  // the supervisor is gone
  if (got < 0) refuse("receiving the spec", "", errno);
  int fds[k_max_fds];
  size_t count = 0;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(c), count * sizeof(int));
  }
  size_t size = static_cast<size_t>(got) - sizeof header;
  spec.head = reinterpret_cast<const wire::SpecHead*>(packet);
  bool ok = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 &&
            static_cast<size_t>(got) >= sizeof header + sizeof(wire::SpecHead) &&
            header.type == wire::k_spec && header.size == size;
  if (ok && spec.head->version != wire::k_version) refuse("reading the spec", "version", EPROTO);
  if (ok) {
    spec.mounts = reinterpret_cast<const wire::MountOp*>(packet + sizeof(wire::SpecHead));
    spec.filter = reinterpret_cast<const wire::Instruction*>(spec.mounts + spec.head->mount_count);
    spec.text = reinterpret_cast<const char*>(spec.filter + spec.head->filter_count);
    // mount_count and filter_count are not trusted before this: text may point outside.
    ok = spec.head->mount_count <= 1024 && spec.head->filter_count <= 4096 &&
         spec.text + spec.head->text_size == reinterpret_cast<const char*>(packet) + size &&
         well_formed(spec, size) && take_descriptors(spec, fds, count);
  }
  if (!ok) refuse("reading the spec", "malformed", EPROTO);
}

}  // namespace fabric::init
