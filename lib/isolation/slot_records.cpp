// SPDX-License-Identifier: Apache-2.0
#include "isolation/slot_records.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.hpp"

namespace fabric {

std::vector<wire::SlotRecord> read_slot_records(const std::string& exit_journal) {
  std::vector<wire::SlotRecord> records(wire::k_max_slots);
  const Fd file(::open(exit_journal.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  const size_t size = records.size() * sizeof(wire::SlotRecord);
  if (!file || ::pread(file.get(), records.data(), size, wire::k_slot_records_at) !=
                   static_cast<ssize_t>(size))
    records.clear();
  return records;
}

}  // namespace fabric
