// SPDX-License-Identifier: Apache-2.0
// Raw LMDB with the flags of the store (the default ones: every commit is synced), and a server
// that commits what its clients send in groups, and does nothing else: the floors of submitting.
#pragma once

#include <lmdb.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/fd.hpp"

namespace fabric::bench {

class RawTable {
 public:
  // Makes the directory.
  explicit RawTable(const std::string& directory);
  ~RawTable();
  RawTable(const RawTable&) = delete;
  RawTable& operator=(const RawTable&) = delete;
  // One transaction, one record a value, under ascending keys. Durable when it returns.
  void put(const std::vector<std::string_view>& values);

 private:
  MDB_env* env_ = nullptr;
  MDB_dbi table_ = 0;
  uint64_t next_key_ = 0;
};

// Takes a line, answers a line once the line is on disk. One thread of its own.
class GroupCommitServer {
 public:
  GroupCommitServer(const std::string& socket_path, const std::string& table_directory);
  ~GroupCommitServer();
  GroupCommitServer(const GroupCommitServer&) = delete;
  GroupCommitServer& operator=(const GroupCommitServer&) = delete;

 private:
  void run();
  Fd listener_, stop_;
  RawTable table_;
  std::thread thread_;
};

}  // namespace fabric::bench
