// SPDX-License-Identifier: Apache-2.0
// Values of the store. The first byte chooses the table, the rest is a value: as it is (which its
// header mostly refuses), and as a body under a sound header. What decodes must survive being
// written and read again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "store/codec.hpp"
#include "store/place.hpp"
#include "store/value.hpp"

namespace {

using namespace fabric;
using namespace fabric::store;

void require(bool fact) {
  if (!fact) std::abort();
}

template <class Record>
bool parse(std::string_view body, Record& record) {
  return record.ParseFromArray(body.data(), static_cast<int>(body.size()));
}

// Written again over itself, nothing changes: not even fields that this version does not know.
template <class Record, class Get, class Put>
void round_trip(std::string_view body, Get get, Put put) {
  Record record;
  if (!parse(body, record)) return;
  const auto model = get(record);
  if (!model) return;
  const std::string before = record.SerializeAsString();
  put(*model, record);
  Record again;
  require(parse(record.SerializeAsString(), again));
  const auto second = get(again);
  require(second.has_value());
  put(*second, again);
  require(again.SerializeAsString() == record.SerializeAsString());
  require(before.size() <= body.size() + 64 || !before.empty());
}

void decode(Table table, std::string_view body) {
  switch (table) {
    case Table::tasks: {
      round_trip<record::Task>(body, get_task, put_task);
      record::Task task;
      if (parse(body, task)) require(!std::string_view(place_of(1, task).key).empty());
      return;
    }
    case Table::results:
      return round_trip<record::TaskResult>(
          body, [](const record::TaskResult& r) { return Result<TaskResult>(get_result(r)); },
          put_result);
    case Table::agents:
      return round_trip<record::Agent>(body, get_agent, put_agent);
    case Table::counts:
      return round_trip<record::Counts>(
          body, [](const record::Counts& r) { return Result<TaskCounts>(get_counts(r)); },
          put_counts);
    default:
      return round_trip<record::Supervisor>(
          body,
          [](const record::Supervisor& r) { return Result<SupervisorRecord>(get_supervisor(r)); },
          put_supervisor);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto table = static_cast<Table>(data[0] % k_tables);
  const std::string_view value(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view key = value.substr(0, value.size() % 24);
  static_cast<void>(describe_key(table, key));
  if (const auto body = open_value(table, key, value)) decode(table, *body);
  const std::string sealed = make_value(table, key, value);
  const auto opened = open_value(table, key, sealed);
  require(opened && *opened == value);
  decode(table, *opened);
  return 0;
}
