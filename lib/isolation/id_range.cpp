// SPDX-License-Identifier: Apache-2.0
#include "isolation/id_range.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace fabric {

namespace {

// Above what /etc/subuid gives away on any machine, below the ids of single commands.
constexpr uint32_t k_first = 0x60000000;
constexpr uint32_t k_ranges = 4096;
constexpr const char* k_locks = "/run/fabric-ids";

Result<Fd> open_locks() {
  if (::mkdir(k_locks, 0700) != 0 && errno != EEXIST) return fail_errno(errno, k_locks);
  Fd directory = TRY(open_file(k_locks, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  struct stat status {};
  if (::fstat(directory.get(), &status) != 0) return fail_errno(errno, k_locks);
  if (status.st_uid != ::geteuid() || (status.st_mode & 022) != 0)
    return fail(ErrorCode::failed, std::string(k_locks) + " belongs to somebody else",
                std::string("remove it: rm -r ") + k_locks);
  return directory;
}

}  // namespace

Result<IdRange> take_id_range() {
  const Fd locks = TRY(open_locks());
  const auto start = static_cast<uint32_t>(::getpid());
  for (uint32_t i = 0; i < k_ranges; ++i) {
    const uint32_t range = (start + i) % k_ranges;
    Fd lock = TRY(open_at(locks, std::to_string(range), O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0)
      return IdRange{k_first + range * k_ids_of_a_range, std::move(lock)};
  }
  return fail(ErrorCode::unavailable, "no range of ids is free for another container",
              "end some: there can be 4096");
}

}  // namespace fabric
