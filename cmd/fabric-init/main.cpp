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

void build(const Spec& spec) {
  umask(0);  // modes of what we make are meant as they are given
  if (setsid() < 0) refuse("starting a session", "", errno);
  if (spec.has(wire::k_walls)) {
    build_root(spec);
    set_names(spec);
  } else {
    if (chdir(spec.string(spec.head->work_dir)) < 0)
      refuse("entering the work directory", spec.string(spec.head->work_dir), errno);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) refuse("becoming subreaper", "", errno);
  }
  for (uint32_t i = 0; i < spec.head->slots; ++i)
    open_leaf(state.slots[i].leaf, spec.leaves[i], spec.has(wire::k_memory_v2));
  drop_privileges(spec);
  if (spec.has(wire::k_walls)) restrict_files(spec);
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

int main() {
  using namespace fabric::init;
  fcntl(k_setup_fd, F_SETFD, FD_CLOEXEC);
  set_signals();
  receive_spec(state.spec);
  state.journal_next = state.spec.head->journal_next;
  state.journal_sequence = state.spec.head->journal_sequence;
  build(state.spec);
  say(fabric::wire::k_ready, "", 0);
  wait_for_go();
  run(state);
}
