// SPDX-License-Identifier: Apache-2.0
#include "isolation/exit_journal.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "isolation/init_message.hpp"
#include "isolation/init_wire.hpp"

namespace fabric {

namespace {

constexpr size_t k_record = sizeof(wire::ExitRecord);
constexpr size_t k_ring_size = k_record * wire::k_journal_records;
constexpr size_t k_journal_size =
    wire::k_slot_records_at + wire::k_max_slots * sizeof(wire::SlotRecord);

struct Found {
  uint64_t sequence;
  uint32_t place;
  AttemptExit exit;
};

std::vector<Found> scan(std::string_view bytes) {
  std::vector<Found> found;
  bytes = bytes.substr(0, k_ring_size);
  for (uint32_t place = 0; (place + 1) * k_record <= bytes.size(); ++place) {
    std::string_view record = bytes.substr(place * k_record, k_record);
    auto exit = decode_exit(record);
    if (!exit) continue;
    uint64_t sequence = 0;
    std::memcpy(&sequence, record.data() + offsetof(wire::ExitRecord, sequence), sizeof sequence);
    found.push_back({sequence, place, std::move(*exit)});
  }
  std::sort(found.begin(), found.end(),
            [](const Found& a, const Found& b) { return a.sequence < b.sequence; });
  return found;
}

}  // namespace

std::vector<AttemptExit> parse_exit_journal(std::string_view bytes) {
  std::vector<AttemptExit> exits;
  for (Found& found : scan(bytes)) exits.push_back(std::move(found.exit));
  return exits;
}

Result<std::vector<AttemptExit>> read_exit_journal(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 && errno == ENOENT) return std::vector<AttemptExit>{};
  if (fd < 0) return fail_errno(errno, path);
  Fd file(fd);
  return parse_exit_journal(TRY(in_context(read_all(file.get(), k_journal_size), path)));
}

Result<Fd> open_exit_journal(const std::string& path, JournalPosition& position) {
  Fd file = TRY(open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail_errno(errno, path);
  if (status.st_size == 0) {
    int error = ::posix_fallocate(file.get(), 0, k_journal_size);
    if (error != 0) return fail_errno(error, path);
    return file;
  }
  std::string bytes = TRY(in_context(read_all(file.get(), k_journal_size), path));
  auto found = scan(bytes);
  if (!found.empty()) {
    position.next = (found.back().place + 1) % wire::k_journal_records;
    position.sequence = found.back().sequence + 1;
  }
  // Of a sandbox before this one: nothing runs. That makes a file of the first version longer, too.
  const std::string none(k_journal_size - k_ring_size, '\0');
  if (::pwrite(file.get(), none.data(), none.size(), k_ring_size) !=
      static_cast<ssize_t>(none.size()))
    return fail_errno(errno, path);
  return file;
}

}  // namespace fabric
