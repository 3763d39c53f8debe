// SPDX-License-Identifier: Apache-2.0
#include "egress/name_table.hpp"

#include <algorithm>
#include <cstring>

#include "model/egress_wire.hpp"

namespace fabric::egress {
namespace {

constexpr uint32_t k_first = 257;  // 198.18.1.1

Address fake4(uint32_t index) {
  Address out;
  out.bytes[10] = out.bytes[11] = 0xff;
  std::memcpy(out.bytes.data() + 12, wire::k_fake_network4, 4);
  out.bytes[14] = static_cast<uint8_t>((k_first + index) >> 8);
  out.bytes[15] = static_cast<uint8_t>(k_first + index);
  return out;
}
Address fake6(uint32_t index) {
  Address out;
  std::memcpy(out.bytes.data(), wire::k_fake_network6, 16);
  out.bytes[14] = static_cast<uint8_t>((k_first + index) >> 8);
  out.bytes[15] = static_cast<uint8_t>(k_first + index);
  return out;
}

}  // namespace

NameEntry* NameTable::find(const std::string& name) {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second;
}

NameEntry* NameTable::put(const std::string& name, uint32_t index, MonoTime now) {
  NameEntry* entry = &entries_[name];
  entry->name = name;
  entry->index = index;
  entry->v4 = fake4(index);
  entry->v6 = fake6(index);
  entry->asked = now;
  used_.insert(index);
  return entry;
}

NameEntry* NameTable::add(const std::string& name, MonoTime now, std::vector<uint32_t>& evicted) {
  if (used_.size() < k_max_names) {
    uint32_t index = 0;
    for (const uint32_t taken : used_)
      if (taken == index) ++index;
    return put(name, index, now);
  }
  const auto oldest = std::min_element(
      entries_.begin(), entries_.end(),
      [](const auto& a, const auto& b) { return a.second.asked < b.second.asked; });
  if (now - oldest->second.asked < k_keep_name) return nullptr;
  for (const auto& [at, id] : oldest->second.listeners) evicted.push_back(id);
  const uint32_t index = oldest->second.index;
  remove(std::string(oldest->first));
  return put(name, index, now);
}

NameEntry* NameTable::restore(const std::string& name, const Address& address, MonoTime now) {
  NameEntry* entry = find(name);
  if (entry == nullptr) {
    const uint32_t number = static_cast<uint32_t>(address.bytes[14]) << 8 | address.bytes[15];
    const uint32_t index = number - k_first;
    if (number < k_first || index >= k_max_names || used_.contains(index)) return nullptr;
    entry = put(name, index, now);
  }
  return entry->v4 == address || entry->v6 == address ? entry : nullptr;
}

void NameTable::remove(const std::string& name) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  used_.erase(found->second.index);
  entries_.erase(found);
}

}  // namespace fabric::egress
