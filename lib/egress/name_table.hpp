// SPDX-License-Identifier: Apache-2.0
// The names that one sandbox has asked for, each with two addresses of ours that stand for it
// inside (198.18.x.y and fdfa:b21c::n). A name that was not asked for in a while gives its place to
// another.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "egress/address.hpp"

namespace fabric::egress {

constexpr uint32_t k_max_names = 1024;
constexpr Duration k_keep_name = Duration::seconds(300);  // five times what answers say

struct NameEntry {
  std::string name;
  uint32_t index = 0;
  Address v4, v6;
  MonoTime asked{};
  std::map<std::pair<int, uint16_t>, uint32_t> listeners;  // family, port: id
  std::set<uint32_t> awaited;                              // ids without an answer yet
};

class NameTable {
 public:
  NameEntry* find(const std::string& name);
  // A new one, or nullptr when the table is full of names in use. `evicted`: the listeners of the
  // name whose place it took.
  NameEntry* add(const std::string& name, MonoTime now, std::vector<uint32_t>& evicted);
  // The one that an earlier process gave to `name` at `address`; nullptr when it does not fit.
  NameEntry* restore(const std::string& name, const Address& address, MonoTime now);
  void remove(const std::string& name);
  template <class F>
  void each(F f) {
    for (auto& [name, entry] : entries_) f(entry);
  }

 private:
  NameEntry* put(const std::string& name, uint32_t index, MonoTime now);
  std::map<std::string, NameEntry> entries_;  // entries stay where they are
  std::set<uint32_t> used_;
};

}  // namespace fabric::egress
