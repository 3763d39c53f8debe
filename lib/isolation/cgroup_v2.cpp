// SPDX-License-Identifier: Apache-2.0
#include "isolation/cgroup_v2.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <utility>
#include <vector>

#include "isolation/cgroup_file.hpp"

namespace fabric {

namespace {

constexpr const char* k_aside = "fabric-aside";
constexpr std::array<const char*, 3> k_controllers{"memory", "cpu", "pids"};

// Who may be made to step aside.
enum class Movable { nobody, ourselves, everybody };

// Members as far as our pid namespace shows them; 0 stands for one that it does not show.
std::vector<pid_t> members(const std::string& group) {
  std::vector<pid_t> pids;
  auto text = read_file(group + "/cgroup.procs", size_t{1} << 20);
  if (!text) return pids;
  const char* end = text->data() + text->size();
  for (const char* at = text->data(); at < end;) {
    pid_t pid = 0;
    at = std::from_chars(at, end, pid).ptr + 1;
    pids.push_back(pid);
  }
  return pids;
}

// The member may have ended meanwhile.
bool move_to(const std::string& group, pid_t pid) {
  auto file = open_file(group + "/cgroup.procs", O_WRONLY);
  const std::string text = std::to_string(pid);
  return file && (::write(file->get(), text.data(), text.size()) > 0 || errno == ESRCH);
}

// Until nobody is in `group`: who is may fork meanwhile.
bool step_aside(const std::string& group, Movable movable) {
  if (movable == Movable::nobody) return false;
  const std::string aside = group + "/" + k_aside;
  for (int round = 0; round < 100; ++round) {
    const std::vector<pid_t> pids = members(group);
    if (pids.empty()) return true;
    if (movable == Movable::ourselves && (pids.size() != 1 || pids[0] != ::getpid())) return false;
    if (::mkdir(aside.c_str(), 0755) != 0 && errno != EEXIST) return false;
    for (pid_t pid : pids)
      if (pid == 0 || !move_to(aside, pid)) return false;
  }
  return false;
}

// 0 or an errno.
int control(const std::string& group, const std::string& change) {
  auto file = open_file(group + "/cgroup.subtree_control", O_WRONLY);
  if (!file) return EACCES;
  return ::write(file->get(), change.data(), change.size()) > 0 ? 0 : errno;
}

bool marked_delegated(const std::string& group) {
  for (const char* name : {"trusted.delegate", "user.delegate"}) {
    char value = 0;
    if (::getxattr(group.c_str(), name, &value, 1) == 1 && value == '1') return true;
  }
  return false;
}

struct Place {
  std::string group;
  Movable movable;
};

// Our own group first. It is ours to arrange when it was delegated to us. As root it may be that of
// a login session, which is not: then the top of the hierarchy, where there is no such rule, and
// where a logout ends no agent.
std::vector<Place> places(const CgroupHierarchy& hierarchy, std::string own) {
  // Where we, or a predecessor, stepped to before.
  const std::string aside = std::string("/") + k_aside;
  if (own.ends_with(aside)) own.resize(own.size() - aside.size());
  if (own.empty()) return {};
  if (::geteuid() != 0) {
    struct stat status {};
    const bool ours = ::stat(own.c_str(), &status) == 0 && status.st_uid == ::geteuid();
    return {{own, ours ? Movable::everybody : Movable::nobody}};
  }
  const std::string top = hierarchy.directory_of(hierarchy.mount_root);
  if (own == top || marked_delegated(own)) return {{own, Movable::everybody}};
  return {{own, Movable::ourselves}, {top, Movable::nobody}};
}

int limits_of(const CgroupHost& host) {
  return int{host.memory_limit} + int{host.cpu_limit} + int{host.pids_limit};
}

CgroupHost try_place(const Place& place, const std::string& root) {
  CgroupHost host;
  const std::string path = place.group + "/" + root;
  if (::mkdir(path.c_str(), 0755) != 0 && (errno != EEXIST || ::access(path.c_str(), W_OK) != 0))
    return host;
  int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return host;
  host.unified = CgroupBase{Fd(fd), path};
  const std::array<bool*, 3> flags{&host.memory_limit, &host.cpu_limit, &host.pids_limit};
  for (size_t i = 0; i < flags.size(); ++i) {
    const std::string plus = std::string("+") + k_controllers[i];
    int error = control(place.group, plus);
    if (error == EBUSY && step_aside(place.group, place.movable))
      error = control(place.group, plus);
    *flags[i] = error == 0 && control(path, plus) == 0;
  }
  return host;
}

std::string what_is_lacking(const CgroupHost& host) {
  std::string names;
  const std::array<bool, 3> flags{host.memory_limit, host.cpu_limit, host.pids_limit};
  for (size_t i = 0; i < flags.size(); ++i)
    if (!flags[i]) names += (names.empty() ? "" : ", ") + std::string(k_controllers[i]);
  if (names.empty()) return {};
  return "the cgroup of this process has no controller " + names +
         " to give: in the unit above it say Delegate=cpu memory pids (for users: systemctl edit "
         "user@.service)";
}

}  // namespace

void open_unified(CgroupHost& host, const CgroupHierarchy& hierarchy,
                  const std::string& proc_cgroup, const std::string& root) {
  for (const Place& place :
       places(hierarchy, hierarchy.directory_of(hierarchy.path_in(proc_cgroup)))) {
    CgroupHost found = try_place(place, root);
    const bool better = found.unified && (!host.unified || limits_of(found) > limits_of(host));
    CgroupHost& worse = better ? host : found;
    if (worse.unified) leave_unified(worse);
    if (better) host = std::move(found);
    if (limits_of(host) == int{k_controllers.size()}) break;
  }
  if (host.unified) host.lacking = what_is_lacking(host);
}

void leave_unified(const CgroupHost& host) {
  if (::rmdir(host.unified.path.c_str()) != 0) return;
  const std::string group = host.unified.path.substr(0, host.unified.path.rfind('/'));
  const std::string aside = group + "/" + k_aside;
  int fd = ::open(group.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  // Only who finds itself alone has made it: another workspace still needs it.
  const std::vector<std::string> children = child_groups(Fd(fd), ".");
  if (children.size() != 1 || children[0] != k_aside) return;
  for (const char* controller : k_controllers) control(group, std::string("-") + controller);
  control(group, "-io");
  for (int round = 0; round < 100; ++round) {
    if (::rmdir(aside.c_str()) == 0) return;
    for (pid_t pid : members(aside))
      if (pid == 0 || !move_to(group, pid)) return;
  }
}

}  // namespace fabric
