// SPDX-License-Identifier: Apache-2.0
// Learning: what a sandbox is used for is told to the supervisor, once each. The filter lets who
// makes a call wait for us (denial.cpp); we read the path that it is about from the memory of the
// process and let the call go on. That is no wall: another thread can exchange the path meanwhile
// (seccomp_unotify(2)). Walls are the filter's own refusals, the mounts and Landlock.
//
// Paths are those that the program used, made absolute: links in them have to be there when it runs
// by what was learned.
#include "learn.hpp"

#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "init.hpp"
#include "sys.hpp"

namespace fabric::init {

namespace {

enum class Does : uint8_t { open, write, execute };
struct Traced {
  int call;
  Does does;
  int8_t directory, path, flags;  // which arguments; -1: there is none
};
// The same calls as in lib/isolation/learning_filter.cpp. Of those with two paths each is a line.
constexpr int k_fchmodat2 = 452;  // newer than the headers
constexpr Traced k_traced[] = {
    {SYS_open, Does::open, -1, 0, 1},        {SYS_openat, Does::open, 0, 1, 2},
    {SYS_creat, Does::write, -1, 0, -1},     {SYS_execve, Does::execute, -1, 0, -1},
    {SYS_execveat, Does::execute, 0, 1, -1}, {SYS_truncate, Does::write, -1, 0, -1},
    {SYS_rename, Does::write, -1, 0, -1},    {SYS_rename, Does::write, -1, 1, -1},
    {SYS_renameat, Does::write, 0, 1, -1},   {SYS_renameat, Does::write, 2, 3, -1},
    {SYS_renameat2, Does::write, 0, 1, -1},  {SYS_renameat2, Does::write, 2, 3, -1},
    {SYS_mkdir, Does::write, -1, 0, -1},     {SYS_mkdirat, Does::write, 0, 1, -1},
    {SYS_rmdir, Does::write, -1, 0, -1},     {SYS_unlink, Does::write, -1, 0, -1},
    {SYS_unlinkat, Does::write, 0, 1, -1},   {SYS_link, Does::write, -1, 1, -1},
    {SYS_linkat, Does::write, 2, 3, -1},     {SYS_symlink, Does::write, -1, 1, -1},
    {SYS_symlinkat, Does::write, 1, 2, -1},  {SYS_mknod, Does::write, -1, 0, -1},
    {SYS_mknodat, Does::write, 0, 1, -1},    {SYS_chmod, Does::write, -1, 0, -1},
    {SYS_fchmodat, Does::write, 0, 1, -1},   {k_fchmodat2, Does::write, 0, 1, -1},
};
constexpr uint64_t k_open_path = 010000000, k_open_changes = 01 | 02 | 0100 | 01000;

// A path with the byte 0 at its end. Read in two parts: the page after it may not be there.
bool read_text(uint32_t pid, uint64_t address, char (&text)[PATH_MAX]) {
  size_t got = 0;
  while (got < sizeof text) {
    size_t part = 4096 - (address + got) % 4096;
    if (part > sizeof text - got) part = sizeof text - got;
    iovec ours{text + got, part}, theirs{reinterpret_cast<void*>(address + got), part};
    if (process_vm_readv(static_cast<pid_t>(pid), &ours, 1, &theirs, 1, 0) !=
        static_cast<ssize_t>(part))
      return false;
    if (memchr(text + got, 0, part) != nullptr) return true;
    got += part;
  }
  return false;
}

bool read_link(const char* name, char (&text)[PATH_MAX]) {
  const ssize_t size = readlink(name, text, sizeof text - 1);
  if (size <= 0 || text[0] != '/') return false;
  text[size] = 0;
  return true;
}

// In place: no empty parts, no "."; ".." is left to the caller.
void normalise(char* path) {
  char* to = path;
  for (const char* at = path; *at != 0;) {
    while (*at == '/') ++at;
    const size_t size = strcspn(at, "/");
    if (size != 0 && !(size == 1 && *at == '.')) {
      *to++ = '/';
      memmove(to, at, size);
      to += size;
    }
    at += size;
  }
  if (to == path) *to++ = '/';
  *to = 0;
}

bool climbs(const char* path) {
  for (const char* at = path; (at = strstr(at, "/..")) != nullptr; at += 3)
    if (at[3] == 0 || at[3] == '/') return true;
  return false;
}

// What the path stands for, from the root. False: nothing that could be told.
bool make_absolute(uint32_t pid, int directory, char (&path)[PATH_MAX]) {
  if (path[0] == 0) return false;  // the descriptor itself: it was opened before
  if (path[0] != '/') {
    char name[64], base[PATH_MAX];
    if (directory == AT_FDCWD)
      snprintf(name, sizeof name, "/proc/%u/cwd", pid);
    else
      snprintf(name, sizeof name, "/proc/%u/fd/%d", pid, directory);
    if (!read_link(name, base)) return false;
    const size_t size = strlen(base), rest = strlen(path);
    if (size + 1 + rest >= sizeof path) return false;
    memmove(path + size + 1, path, rest + 1);
    memcpy(path, base, size);
    path[size] = '/';
  }
  normalise(path);
  if (!climbs(path)) return true;
  char name[64];
  const int fd = open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) return false;
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  const bool read = read_link(name, path);
  close(fd);
  return read;
}

bool beneath(const char* path, const char* target) {  // the latter without its slash
  const size_t size = strlen(target);
  return strncmp(path + 1, target, size) == 0 && (path[1 + size] == 0 || path[1 + size] == '/');
}

// What the plan of the sandbox says of a path: the last step that is about it. `given`: by rules of
// the definition, of which only what is used is needed.
enum class Place { unknown, own, own_to_change, given, shown, covered };

Place place_of(const Spec& spec, const char* path) {
  Place place = Place::unknown;
  for (uint32_t i = 0; i < spec.head->mount_count; ++i) {
    const wire::MountOp& op = spec.mounts[i];
    const char* target = spec.string(op.target);
    if (!beneath(path, target)) continue;
    switch (op.kind) {
      case wire::k_bind_dir:
      case wire::k_bind_file:
      case wire::k_symlink:
        place = (op.argument & wire::k_shown_to_learn) != 0 ? Place::shown : Place::own;
        break;
      case wire::k_text_file:
      case wire::k_device:
      case wire::k_secret:
        place = Place::own;
        break;
      case wire::k_work:
      case wire::k_tmpfs:
      case wire::k_proc:
      case wire::k_devpts:
        place = Place::own_to_change;
        break;
      case wire::k_tree:
        place = strcmp(target, "work") == 0 ? Place::own_to_change : Place::given;
        break;
      case wire::k_cover:
      case wire::k_hide:
        place = Place::covered;
        break;
      default:
        break;
    }
  }
  return place;
}

// --- what is to be told

constexpr size_t k_room = 256U << 10;
constexpr size_t k_most_told = 16384, k_table = 32768;
struct Entry {  // and the path, which is `size` bytes
  uint64_t attempt;
  uint32_t kind, call, size, reserved;
};
alignas(8) char pending[k_room];
size_t pending_end, pending_begin;
uint64_t told[k_table];
size_t told_count;

uint64_t hash_of(uint32_t kind, uint32_t call, const char* path) {
  uint64_t hash = 14695981039346656037U ^ kind ^ uint64_t { call } << 8;
  for (hash *= 1099511628211U; *path != 0; ++path)
    hash = (hash ^ static_cast<unsigned char>(*path)) * 1099511628211U;
  return hash | 1;  // 0: a free place
}

// Where it is, or would be; null when the table is as full as it may be.
uint64_t* find_told(uint64_t hash) {
  size_t at = hash % k_table;
  while (told[at] != 0 && told[at] != hash) at = (at + 1) % k_table;
  return told[at] == hash || told_count < k_most_told ? &told[at] : nullptr;
}

// What there is no room for now is told when it is used again.
void tell(const Slot& slot, wire::LearnedKind kind, int call, const char* path) {
  const uint64_t hash = hash_of(kind, static_cast<uint32_t>(call), path);
  uint64_t* place = find_told(hash);
  if (place == nullptr || *place == hash) return;
  const size_t size = strlen(path), whole = sizeof(Entry) + ((size + 7) & ~size_t{7});
  if (pending_end + whole > sizeof pending) return;
  const Entry entry{slot.attempt, kind, static_cast<uint32_t>(call), static_cast<uint32_t>(size),
                    0};
  memcpy(pending + pending_end, &entry, sizeof entry);
  memcpy(pending + pending_end + sizeof entry, path, size);
  pending_end += whole;
  *place = hash;
  ++told_count;
}

// --- what is used

void look_at_interpreter(const Spec& spec, const Slot& slot, const char* path) {
  char head[256];
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  const ssize_t got = fd >= 0 ? read(fd, head, sizeof head - 1) : 0;
  if (fd >= 0) close(fd);
  if (got < 3 || head[0] != '#' || head[1] != '!') return;
  head[got] = 0;
  char* name = head + 2 + strspn(head + 2, " \t");
  name[strcspn(name, " \t\n")] = 0;
  if (*name != '/') return;
  normalise(name);
  const Place place = place_of(spec, name);
  if (place == Place::shown || place == Place::given) tell(slot, wire::k_learned_execute, 0, name);
}

void use(const Spec& spec, const Slot& slot, const char* path, Does does, bool changes) {
  const Place place = place_of(spec, path);
  if (place == Place::own_to_change) return;
  if (place == Place::covered) return tell(slot, wire::k_learned_withheld, 0, path);
  if (does == Does::execute && place == Place::own) return look_at_interpreter(spec, slot, path);
  if (place == Place::own) return;  // also what is tried to change there: it is nobody's to change
  if (changes) return tell(slot, wire::k_learned_write, 0, path);
  struct stat status;
  if (place == Place::unknown || stat(path, &status) < 0) return;
  // Neither can what is not allowed to it anyway be needed.
  if (access(path, does == Does::execute ? X_OK : R_OK) < 0) return;
  if (does == Does::execute) {
    tell(slot, wire::k_learned_execute, 0, path);
    return look_at_interpreter(spec, slot, path);
  }
  tell(slot, S_ISDIR(status.st_mode) ? wire::k_learned_list : wire::k_learned_read, 0, path);
}

// A socket of the host that is shown: who listens there may do for the agent what it may not
// itself. By mistake nobody connects to it then; who exchanges the address while we read it does.
int learn_connect(const Spec& spec, const Slot& slot, uint32_t pid, const SystemCall& call) {
  struct {
    uint16_t family;
    char path[108];
    char end;
  } address{};
  const size_t size = call.arguments[2] < 110 ? call.arguments[2] : 110;
  iovec ours{&address, size}, theirs{reinterpret_cast<void*>(call.arguments[1]), size};
  if (process_vm_readv(static_cast<pid_t>(pid), &ours, 1, &theirs, 1, 0) < 3) return 0;
  if (address.family != AF_UNIX || address.path[0] == 0) return 0;
  char path[PATH_MAX];
  strcpy(path, address.path);
  if (!make_absolute(pid, AT_FDCWD, path)) return 0;
  const Place place = place_of(spec, path);
  if (place == Place::given) tell(slot, wire::k_learned_read, 0, path);
  if (place != Place::shown && place != Place::covered) return 0;
  tell(slot, wire::k_learned_withheld, 0, path);
  return EACCES;
}

}  // namespace

bool learns(const Spec& spec) { return spec.has(wire::k_learn); }

int learn_call(const Spec& spec, const Slot& slot, uint32_t pid, const SystemCall& call) {
  if (call.number == SYS_connect) return learn_connect(spec, slot, pid, call);
  bool traced = false;
  for (const Traced& known : k_traced) {
    if (known.call != call.number) continue;
    traced = true;
    char path[PATH_MAX];
    const uint64_t flags = known.flags < 0 ? 0 : call.arguments[known.flags];
    if ((flags & k_open_path) != 0) continue;
    if (!read_text(pid, call.arguments[known.path], path)) continue;
    const int directory =
        known.directory < 0 ? AT_FDCWD : static_cast<int>(call.arguments[known.directory]);
    if (!make_absolute(pid, directory, path)) continue;
    use(spec, slot, path, known.does, known.does == Does::write || (flags & k_open_changes) != 0);
  }
  if (!traced) tell(slot, wire::k_learned_call, call.number, "");
  return 0;
}

void learn_command(const Spec& spec, const Slot& slot, const char* path) {
  if (!learns(spec)) return;
  char absolute[PATH_MAX];
  if (strlen(path) >= sizeof absolute) return;
  strcpy(absolute, path);
  if (make_absolute(static_cast<uint32_t>(slot.pid), AT_FDCWD, absolute))
    use(spec, slot, absolute, Does::execute, false);
}

bool next_learned(wire::Header& header, const char*& path) {
  if (pending_begin == pending_end) {
    pending_begin = pending_end = 0;
    return false;
  }
  Entry entry;
  memcpy(&entry, pending + pending_begin, sizeof entry);
  header = {wire::k_learned, 0, entry.size, entry.attempt, entry.kind | uint64_t{entry.call} << 32};
  path = pending + pending_begin + sizeof entry;
  return true;
}

void learned_sent(const wire::Header& header) {
  pending_begin += sizeof(Entry) + ((header.size + 7) & ~size_t{7});
}

}  // namespace fabric::init
