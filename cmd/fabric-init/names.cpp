// SPDX-License-Identifier: Apache-2.0
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "build.hpp"
#include "sys.hpp"

namespace fabric::init {

void make_network() {
  if (unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
    refuse("making namespaces", "network, IPC, host name", errno);
}

void set_names(const Spec& spec) {
  const char* name = spec.string(spec.head->host_name);
  if (syscall(SYS_sethostname, name, strlen(name)) < 0)
    refuse("setting the host name", name, errno);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
    refuse("bringing up the loopback interface", "", errno);
  close(fd);
  // Only now that this process is in its group does the group become the visible root.
  if (spec.has(wire::k_cgroup_namespace) && syscall(SYS_unshare, 0x02000000) < 0)
    refuse("making a cgroup namespace", "", errno);
}

}  // namespace fabric::init
