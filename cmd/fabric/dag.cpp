// SPDX-License-Identifier: Apache-2.0
#include "fabric/dag.hpp"

#include <algorithm>
#include <unordered_map>

#include "base/id.hpp"
#include "base/json.hpp"
#include "fabric/json_strings.hpp"
#include "fabric/nearest.hpp"
#include "fabric/text.hpp"
#include "model/references.hpp"
#include "scheduler/dependencies.hpp"
#include "scheduler/task_lines.hpp"

namespace fabric::cmd {
namespace {

const DagField* find_field(const DagEntry& entry, std::string_view name) {
  for (const DagField& field : entry.fields)
    if (field.name == name) return &field;
  return nullptr;
}

class Dag {
 public:
  Dag(const std::string& path, const std::vector<DagEntry>& entries, const std::string& group)
      : path_(path), entries_(entries), group_(group), tasks_(entries.size()) {}

  Result<std::vector<std::string>> lines() {
    if (entries_.empty())
      return fail(ErrorCode::usage, path_ + ": there are no tasks",
                  "write [[task]] tables, or {\"tasks\": [...]}");
    for (size_t i = 0; i < entries_.size(); ++i) TRY_STATUS(name_task(i));
    std::vector<std::string> lines;
    for (size_t i = 0; i < entries_.size(); ++i) lines.push_back(TRY(line_of(i)));
    TRY(in_context(order_by_dependency(tasks_), path_));
    return lines;
  }

 private:
  [[nodiscard]] tl::unexpected<Error> at(config::Position where, const Error& error) const {
    return fail_at(path_, where, error.message, error.hint);
  }

  // The field as its task line would have it: one reading of fields, and one set of messages.
  Result<Task> read(const DagField& field) const {
    json::Writer w;
    w.begin_object();
    if (field.name != "agent" && field.name != "require") w.field("agent", "a");
    w.key(field.name).raw(field.json).end_object();
    auto task = parse_task_line(w.text());
    if (task) return task;
    const bool unknown = task.error().message.starts_with("unknown field");
    return at(unknown ? field.name_at : field.at, task.error());
  }

  Result<std::string> name_of(const DagField& field) const {
    const json::Document value = TRY(json::parse(field.json));
    if (!value.IsString()) return fail_at(path_, field.at, "field 'name' must be a string");
    std::string name(json::text_of(value));
    if (const Status good = check_id(name, "name"); !good) return at(field.at, good.error());
    return name;
  }

  Status name_task(size_t index) {
    const DagEntry& entry = entries_[index];
    const DagField* name = find_field(entry, "name");
    const DagField* id = find_field(entry, "id");
    if (const DagField* key = find_field(entry, "idempotency_key")) {
      if (id) return fail_at(path_, key->at, "id and idempotency_key exclude each other");
      id = key;
    }
    const std::string given = id ? TRY(read(*id)).id : "";
    const std::string local = name             ? TRY(name_of(*name))
                              : !given.empty() ? given
                                               : std::to_string(index + 1);
    const std::string full = given.empty() ? group_ + "." + local : given;
    const config::Position place = name ? name->at : entry.at;
    if (const Status good = check_id(full, "task id"); !good)
      return fail_at(path_, place, good.error().message, "the group is part of it: --group ID");
    if (!ids_.try_emplace(local, full).second)
      return fail_at(path_, place, "two tasks have the name '" + local + "'");
    names_.push_back(local);
    tasks_[index].id = local;
    return {};
  }

  Result<std::string> id_of(std::string_view local, config::Position place) const {
    const auto known = ids_.find(std::string(local));
    if (known != ids_.end()) return known->second;
    std::vector<std::string_view> names(names_.begin(), names_.end());
    const std::string nearest = nearest_name(local, names);
    return fail_at(path_, place, "no task of this file has the name '" + printable(local) + "'",
                   nearest.empty() ? "" : "did you mean " + nearest + "?");
  }

  Status add_dependencies(const DagField& field, size_t index, json::Writer& line) {
    tasks_[index].depends_on = TRY(read(field)).depends_on;
    line.key("depends_on").begin_array();
    for (const std::string& local : tasks_[index].depends_on)
      line.string(TRY(id_of(local, field.at)));
    line.end_array();
    return {};
  }

  // References by local name become references by id.
  Result<std::string> payload_of(const DagField& field, size_t index) const {
    const auto references = referenced_tasks(field.json);
    if (!references) return at(field.at, references.error());
    const std::vector<std::string>& before = tasks_[index].depends_on;
    for (const std::string& local : *references) {
      TRY(id_of(local, field.at));
      if (std::find(before.begin(), before.end(), local) == before.end())
        return fail_at(path_, field.at,
                       "the payload refers to task '" + local + "', which is not in depends_on");
    }
    std::string out;
    size_t done = 0;
    for_each_string_value(field.json, [&](size_t start, size_t length) {
      constexpr std::string_view k_begin = "{tasks.";
      const std::string_view text(field.json.data() + start, length);
      for (size_t found = text.find(k_begin); found != std::string_view::npos;
           found = text.find(k_begin, found + k_begin.size())) {
        const size_t name = start + found + k_begin.size();
        out.append(field.json, done, name - done);
        // The longest name that is followed by ".result" is no help: the first end counts.
        size_t end = field.json.find(".result", name);
        while (end != std::string::npos && field.json[end + 7] != '.' && field.json[end + 7] != '}')
          end = field.json.find(".result", end + 1);
        if (end == std::string::npos) end = name;
        const auto known = ids_.find(field.json.substr(name, end - name));
        out += known == ids_.end() ? field.json.substr(name, end - name) : known->second;
        done = end;
      }
    });
    out.append(field.json, done);
    std::replace(out.begin(), out.end(), '\n', ' ');
    std::replace(out.begin(), out.end(), '\r', ' ');
    return out;
  }

  Result<std::string> line_of(size_t index) {
    const DagEntry& entry = entries_[index];
    json::Writer line;
    line.begin_object().field("id", ids_.at(tasks_[index].id));
    if (!find_field(entry, "group")) line.field("group", group_);
    if (const DagField* field = find_field(entry, "depends_on"))
      TRY_STATUS(add_dependencies(*field, index, line));
    for (const DagField& field : entry.fields) {
      if (field.name == "name" || field.name == "id" || field.name == "idempotency_key" ||
          field.name == "depends_on")
        continue;
      TRY(read(field));
      line.key(field.name);
      line.raw(field.name == "payload" ? TRY(payload_of(field, index)) : one_line(field.json));
    }
    line.end_object();
    if (const auto whole = parse_task_line(line.text()); !whole) return at(entry.at, whole.error());
    return line.take();
  }

  static std::string one_line(std::string json) {
    std::replace(json.begin(), json.end(), '\n', ' ');
    std::replace(json.begin(), json.end(), '\r', ' ');
    return json;
  }

  const std::string& path_;
  const std::vector<DagEntry>& entries_;
  const std::string& group_;
  std::vector<Task> tasks_;  // only local names and dependencies: what a cycle is found in
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::string> ids_;  // by local name
};

}  // namespace

Result<std::vector<std::string>> dag_lines(const std::string& path,
                                           const std::vector<DagEntry>& entries,
                                           const std::string& group) {
  return Dag(path, entries, group).lines();
}

}  // namespace fabric::cmd
