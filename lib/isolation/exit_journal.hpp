// SPDX-License-Identifier: Apache-2.0
// The exit journal of a sandbox: a ring of k_journal_records checksummed records of 256 bytes
// (wire::ExitRecord), preallocated, written by fabric-init, read by whoever finds it dead. Not
// synced: it must survive the supervisor and the init, not the machine.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "isolation/init_connection.hpp"

namespace fabric {

struct JournalPosition {
  uint32_t next = 0;
  uint64_t sequence = 0;
};

// The intact records, oldest first. Torn or empty places are skipped.
std::vector<AttemptExit> parse_exit_journal(std::string_view bytes);
// The same from a file; no file is no record.
Result<std::vector<AttemptExit>> read_exit_journal(const std::string& path);

// Opens it for an init, making it if need be, and says where to go on.
Result<Fd> open_exit_journal(const std::string& path, JournalPosition& position);

}  // namespace fabric
