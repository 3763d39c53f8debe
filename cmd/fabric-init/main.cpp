// SPDX-License-Identifier: Apache-2.0
// fabric-init: pid 1 of a sandbox. Started by the supervisor from a sealed memfd with one
// descriptor (build.hpp says what happens then, init.hpp what it does for the rest of its life).
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "build.hpp"
#include "init.hpp"
#include "sys.hpp"

namespace fabric::init {

namespace {

Init state;

void say(wire::MessageType type, const void* body, uint32_t size) {
  wire::Header header{type, 0, size, 0, 0};
  iovec parts[2] = {{&header, sizeof header}, {const_cast<void*>(body), size}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  if (sendmsg(k_setup_fd, &message, MSG_NOSIGNAL) < 0) _exit(1);
}

void wait_for_go() {
  wire::Header header{};
  ssize_t got;
  do {
    got = recv(k_setup_fd, &header, sizeof header, 0);
  } while (got < 0 && errno == EINTR);
  // End of file: the supervisor died before it could own us.
  if (got != sizeof header || header.type != wire::k_go) _exit(0);
}

void build(Spec& spec) {
  umask(0);  // modes of what we make are meant as they are given
  // Of one command the session is its own affair: to make one costs as much as a mount.
  if (!spec.has(wire::k_one_shot) && setsid() < 0) refuse("starting a session", "", errno);
  if (spec.has(wire::k_walls)) {
    if (spec.has(wire::k_egress)) open_low_ports();
    build_root(spec);
    set_names(spec);
    if (spec.has(wire::k_egress)) {
      set_routes(spec);
      make_listeners();
    }
  } else {
    if (chdir(spec.string(spec.head->work_dir)) < 0)
      refuse("entering the work directory", spec.string(spec.head->work_dir), errno);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) refuse("becoming subreaper", "", errno);
  }
  if (spec.has(wire::k_one_shot)) receive_parts(spec);
  for (uint32_t i = 0; i < spec.head->slots; ++i)
    open_leaf(state.slots[i].leaf, spec.leaves[i], spec.has(wire::k_memory_v2));
  drop_privileges(spec);
  if (spec.has(wire::k_walls)) {
    const int abi = restrict_files(spec);
    if (abi < k_landlock_serves && spec.has(wire::k_landlock_required))
      refuse("entering a Landlock domain", "the kernel has none that serves", ENOSYS);
    state.attempt_domain = make_attempt_domain();
  }
  self_check(spec);
  probe_command(spec);
}

}  // namespace

void refuse(const char* stage, const char* detail, int error_number) {
  char text[400];
  int size = snprintf(text, sizeof text, "%s%s%s", stage, *detail != 0 ? ": " : "", detail);
  if (size > static_cast<int>(sizeof text) - 1) size = sizeof text - 1;
  wire::Header header{wire::k_failed, 0, static_cast<uint32_t>(size), 0,
                      static_cast<uint64_t>(error_number)};
  iovec parts[2] = {{&header, sizeof header}, {text, static_cast<size_t>(size)}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  sendmsg(k_setup_fd, &message, MSG_NOSIGNAL);
  _exit(1);
}

}  // namespace fabric::init

int main(int argc, char**) {
  using namespace fabric::init;
  fcntl(k_setup_fd, F_SETFD, FD_CLOEXEC);
  if (argc > 1) make_network();
  set_signals();
  receive_spec(state.spec);
  state.journal_next = state.spec.head->journal_next;
  state.journal_sequence = state.spec.head->journal_sequence;
  build(state.spec);
  if (!state.spec.has(fabric::wire::k_one_shot)) {
    say(fabric::wire::k_ready, "", 0);
    wait_for_go();
  }
  run(state);
}
