// SPDX-License-Identifier: Apache-2.0
// The record of a task written and read by protobuf-lite (what the store uses), FlatBuffers and
// RapidJSON: why docs/store-format.md chooses as it does. FlatBuffers without its generated code,
// whose calls these are.
#include <flatbuffers/flatbuffers.h>
// A field may be absent, as GCC sees when it inlines; ours never are.
#pragma GCC diagnostic ignored "-Wnull-dereference"

#include "base/json.hpp"
#include "bench_support.hpp"
#include "store/codec.hpp"

namespace fabric::bench {
namespace {

Task example() {
  Task task;
  task.id = "0193a7e2-7c1b-7000-8000-0123456789ab";
  task.agent = "coder";
  task.type = "review";
  task.payload = "\"" + std::string(98, 'p') + "\"";
  task.metadata = {{"ticket", "FAB-123"}, {"source", "nightly"}};
  task.depends_on = {"0193a7e2-7c1b-7000-8000-0123456789aa"};
  task.timeout = Duration::seconds(600);
  task.user = "ann";
  task.correlation_id = "0193a7e2-7c1b-7000-8000-0123456789ac";
  task.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  task.state = TaskState::running;
  task.attempt = 1;
  task.attempt_id = 12345;
  task.created_at.us = 1764000000000000;
  task.started_at.us = 1764000001000000;
  return task;
}

std::string write_protobuf(const Task& task, store::record::Task& record) {
  record.Clear();
  store::put_task(task, record);
  record.set_payload(task.payload);
  return record.SerializeAsString();
}

// Offset in the vtable of the n-th field.
constexpr flatbuffers::voffset_t slot(int n) {
  return static_cast<flatbuffers::voffset_t>(4 + 2 * n);
}
using Text = flatbuffers::Offset<flatbuffers::String>;
constexpr int k_texts = 8;  // id agent type payload user correlation_id traceparent detail

void write_flat(const Task& t, flatbuffers::FlatBufferBuilder& out) {
  out.Clear();
  const Text texts[k_texts] = {out.CreateString(t.id),          out.CreateString(t.agent),
                               out.CreateString(t.type),        out.CreateString(t.payload),
                               out.CreateString(t.user),        out.CreateString(t.correlation_id),
                               out.CreateString(t.traceparent), out.CreateString(t.detail)};
  std::vector<flatbuffers::Offset<flatbuffers::Table>> pairs;
  for (const auto& [key, value] : t.metadata) {
    const Text k = out.CreateString(key), v = out.CreateString(value);
    const auto start = out.StartTable();
    out.AddOffset(slot(0), k);
    out.AddOffset(slot(1), v);
    pairs.emplace_back(out.EndTable(start));
  }
  const auto metadata = out.CreateVector(pairs);
  const auto depends_on = out.CreateVectorOfStrings(t.depends_on);
  const auto start = out.StartTable();
  for (int i = 0; i < k_texts; ++i) out.AddOffset(slot(i), texts[i]);
  out.AddOffset(slot(8), metadata);
  out.AddOffset(slot(9), depends_on);
  out.AddElement<int64_t>(slot(10), t.timeout.ns, 0);
  out.AddElement<int64_t>(slot(11), t.created_at.us, 0);
  out.AddElement<int64_t>(slot(12), t.started_at.us, 0);
  out.AddElement<uint64_t>(slot(13), t.attempt_id, 0);
  out.AddElement<uint32_t>(slot(14), t.attempt, 0);
  out.AddElement<uint8_t>(slot(15), static_cast<uint8_t>(t.state), 0);
  out.AddElement<uint8_t>(slot(16), static_cast<uint8_t>(t.priority), 0);
  out.AddElement<uint8_t>(slot(17), static_cast<uint8_t>(t.reason), 0);
  out.Finish(flatbuffers::Offset<flatbuffers::Table>(out.EndTable(start)));
}

Task read_flat(const uint8_t* bytes) {
  const auto* table = flatbuffers::GetRoot<flatbuffers::Table>(bytes);
  const auto text = [](const flatbuffers::Table* of, int n) {
    return of->GetPointer<const flatbuffers::String*>(slot(n))->str();
  };
  Task t;
  t.id = text(table, 0);
  t.agent = text(table, 1);
  t.type = text(table, 2);
  t.payload = text(table, 3);
  t.user = text(table, 4);
  t.correlation_id = text(table, 5);
  t.traceparent = text(table, 6);
  t.detail = text(table, 7);
  const auto* pairs =
      table->GetPointer<const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::Table>>*>(
          slot(8));
  for (const flatbuffers::Table* pair : *pairs)
    t.metadata.emplace_back(text(pair, 0), text(pair, 1));
  const auto* ids =
      table->GetPointer<const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>*>(
          slot(9));
  for (const flatbuffers::String* id : *ids) t.depends_on.push_back(id->str());
  t.timeout.ns = table->GetField<int64_t>(slot(10), 0);
  t.created_at.us = table->GetField<int64_t>(slot(11), 0);
  t.started_at.us = table->GetField<int64_t>(slot(12), 0);
  t.attempt_id = table->GetField<uint64_t>(slot(13), 0);
  t.attempt = table->GetField<uint32_t>(slot(14), 0);
  t.state = static_cast<TaskState>(table->GetField<uint8_t>(slot(15), 0));
  t.priority = static_cast<Priority>(table->GetField<uint8_t>(slot(16), 0));
  t.reason = static_cast<Reason>(table->GetField<uint8_t>(slot(17), 0));
  return t;
}

std::string write_json(const Task& t) {
  json::Writer out;
  out.begin_object().field("id", t.id).field("agent", t.agent).field("type", t.type);
  out.field("payload", t.payload).key("metadata").begin_object();
  for (const auto& [key, value] : t.metadata) out.field(key, value);
  out.end_object().key("depends_on").begin_array();
  for (const std::string& id : t.depends_on) out.string(id);
  out.end_array().field("timeout_ns", t.timeout.ns).field("user", t.user);
  out.field("correlation_id", t.correlation_id).field("traceparent", t.traceparent);
  out.field("detail", t.detail).field("state", static_cast<int>(t.state));
  out.field("priority", static_cast<int>(t.priority)).field("reason", static_cast<int>(t.reason));
  out.field("attempt", t.attempt).field("attempt_id", t.attempt_id);
  out.field("created_at_us", t.created_at.us).field("started_at_us", t.started_at.us);
  return out.end_object().take();
}

Task read_json(const std::string& text) {
  const json::Document d = need(json::parse(text));
  const auto string = [&d](const char* name) { return std::string(*json::get_string(d, name)); };
  const auto integer = [&d](const char* name) { return *json::get_int(d, name); };
  Task t;
  t.id = string("id");
  t.agent = string("agent");
  t.type = string("type");
  t.payload = string("payload");
  for (const auto& member : json::find(d, "metadata")->GetObject())
    t.metadata.emplace_back(json::text_of(member.name), json::text_of(member.value));
  for (const auto& id : json::find(d, "depends_on")->GetArray())
    t.depends_on.emplace_back(json::text_of(id));
  t.timeout.ns = integer("timeout_ns");
  t.user = string("user");
  t.correlation_id = string("correlation_id");
  t.traceparent = string("traceparent");
  t.detail = string("detail");
  t.state = static_cast<TaskState>(integer("state"));
  t.priority = static_cast<Priority>(integer("priority"));
  t.reason = static_cast<Reason>(integer("reason"));
  t.attempt = static_cast<uint32_t>(integer("attempt"));
  t.attempt_id = static_cast<uint64_t>(integer("attempt_id"));
  t.created_at.us = integer("created_at_us");
  t.started_at.us = integer("started_at_us");
  return t;
}

void same(const Task& a, const Task& b) {
  if (!same_submission(a, b) || a.attempt_id != b.attempt_id || a.started_at != b.started_at)
    throw Failure("a codec does not give back what it was given");
}

// The best of several rounds, in nanoseconds: others use this machine too.
template <class Work>
double best(Work work) {
  constexpr int k_rounds = 20, k_calls = 20'000;
  int64_t least = INT64_MAX;
  for (int round = 0; round < k_rounds; ++round) {
    const int64_t begin = now_ns();
    for (int i = 0; i < k_calls; ++i) work();
    least = std::min(least, now_ns() - begin);
  }
  return static_cast<double>(least) / k_calls;
}

void body(const Options&, Report& report) {
  const Task task = example();
  size_t sink = 0;
  store::record::Task record;
  const std::string protobuf = write_protobuf(task, record);
  const auto read_protobuf = [&] {
    if (!record.ParseFromString(protobuf)) throw Failure("protobuf does not parse");
    return need(store::get_task(record));
  };
  flatbuffers::FlatBufferBuilder builder;
  write_flat(task, builder);
  const std::string flat(reinterpret_cast<const char*>(builder.GetBufferPointer()),
                         builder.GetSize());
  const auto* flat_bytes = reinterpret_cast<const uint8_t*>(flat.data());
  const std::string text = write_json(task);
  same(read_protobuf(), task);
  same(read_flat(flat_bytes), task);
  same(read_json(text), task);

  const double protobuf_write = best([&] { sink += write_protobuf(task, record).size(); });
  const Row& write = report.figure("protobuf-lite, written", "ns", protobuf_write);
  report
      .figure("FlatBuffers, written", "ns", best([&] {
                write_flat(task, builder);
                sink += builder.GetSize();
              }))
      .beside(write);
  report.figure("JSON, written", "ns", best([&] { sink += write_json(task).size(); }))
      .beside(write);
  const Row& read = report.figure("protobuf-lite, read into the model", "ns",
                                  best([&] { sink += read_protobuf().id.size(); }));
  report.figure("  of that, parsed", "ns",
                best([&] { sink += record.ParseFromString(protobuf) ? 1U : 0U; }));
  report
      .figure("FlatBuffers, read into the model", "ns",
              best([&] { sink += read_flat(flat_bytes).id.size(); }))
      .beside(read);
  report.figure("JSON, read into the model", "ns", best([&] { sink += read_json(text).id.size(); }))
      .beside(read);
  const Row& size =
      report.figure("protobuf-lite, size", "bytes", static_cast<double>(protobuf.size()));
  report.figure("FlatBuffers, size", "bytes", static_cast<double>(flat.size())).beside(size);
  report.figure("JSON, size", "bytes", static_cast<double>(text.size())).beside(size);
  if (sink == 0) throw Failure("nothing was done");
}

}  // namespace
}  // namespace fabric::bench

int main(int argc, char** argv) {
  return fabric::bench::bench_main(argc, argv, "codec", 60, fabric::bench::body);
}
