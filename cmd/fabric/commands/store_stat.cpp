// SPDX-License-Identifier: Apache-2.0
#include "base/size.hpp"
#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/table.hpp"

namespace fabric::cmd {
namespace {

using json::Writer;
using store::StoreStat;

void write_count(Writer& w, uint64_t n) { w.integer(static_cast<int64_t>(n)); }

constexpr auto k_fields = std::to_array<JsonField<StoreStat>>({
    {"schema_version", "Version of what is stored.",
     [](Writer& w, const StoreStat& v) { w.integer(v.schema_version); }},
    {"file_bytes", "Size of the file.",
     [](Writer& w, const StoreStat& v) { write_count(w, v.file_bytes); }},
    {"used_bytes", "Of it, in use.",
     [](Writer& w, const StoreStat& v) { write_count(w, v.used_bytes); }},
    {"map_bytes", "Size it may grow to before the map is enlarged (which happens by itself).",
     [](Writer& w, const StoreStat& v) { write_count(w, v.map_bytes); }},
    {"last_transaction", "Number of the last transaction.",
     [](Writer& w, const StoreStat& v) { write_count(w, v.last_transaction); }},
    {"readers", "Reader slots in use.",
     [](Writer& w, const StoreStat& v) { w.integer(v.readers); }},
    {"max_readers", "Reader slots there are.",
     [](Writer& w, const StoreStat& v) { w.integer(v.max_readers); }},
    {"tables", "name, entries and bytes of each table.",
     [](Writer& w, const StoreStat& v) {
       w.begin_array();
       for (const auto& table : v.tables)
         w.begin_object()
             .field("name", table.name)
             .field("entries", table.entries)
             .field("bytes", table.bytes)
             .end_object();
       w.end_array();
     }},
});
JsonShape stat_shape() { return shape_of<k_fields>(); }

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const store::Store store = TRY(open_store(workspace));
  const StoreStat stat = TRY(store.stat());
  if (choice.wanted()) {
    TRY_STATUS(print(choice.object(k_fields, stat) + "\n"));
    return 0;
  }
  Facts facts;
  facts.add("schema", std::to_string(stat.schema_version));
  facts.add("file", human_size(stat.file_bytes) + ", " + human_size(stat.used_bytes) + " in use");
  facts.add("map", human_size(stat.map_bytes));
  facts.add("transaction", std::to_string(stat.last_transaction));
  facts.add("readers", std::to_string(stat.readers) + " of " + std::to_string(stat.max_readers));
  Table table({{"TABLE"}, {"ENTRIES", Align::right}, {"SIZE", Align::right}});
  for (const auto& row : stat.tables)
    table.add({row.name, std::to_string(row.entries), human_size(row.bytes)});
  TRY_STATUS(print(facts.to_text() + "\n" + table.to_text(terminal_width())));
  return 0;
}

constexpr Example k_examples[] = {
    {"fabric store stat", "Shows how large the store is, table by table."},
    {"fabric store stat --json=file_bytes", "Its size, for a monitor."}};

}  // namespace

const Command k_store_stat_command{"store stat",
                                   Group::maintenance,
                                   "show the size of the store",
                                   "",
                                   {},
                                   {},
                                   {},
                                   k_examples,
                                   stat_shape,
                                   run};

}  // namespace fabric::cmd
