// SPDX-License-Identifier: Apache-2.0
#include "config/layers.hpp"

#include <algorithm>

#include "base/nearest.hpp"
#include "config/settings_table.hpp"

namespace fabric::config {
namespace {

// Keys inside agent.toml stand for those of [agent] in the other files.
std::string_view root_prefix(FileKind kind) { return kind == k_agent ? "agent." : ""; }

// Names that may follow `prefix` in a file of this kind.
std::vector<std::string> known_names(std::string_view prefix, FileKind kind) {
  std::vector<std::string> names;
  for (const Setting& setting : settings_table()) {
    if (!(setting.files & kind) || !setting.key.starts_with(prefix)) continue;
    const std::string_view rest = setting.key.substr(prefix.size());
    std::string name(rest.substr(0, rest.find('.')));
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

class Walk {
 public:
  Walk(const std::string& file, FileKind kind, Draft& draft)
      : file_(file), kind_(kind), draft_(draft) {}

  void table(const Node& node, const std::string& prefix) {
    for (const Node& child : node.children) {
      const std::string full = prefix + child.key;
      const bool plain = child.key.find('.') == std::string::npos;  // a quoted key can hold a dot
      const Setting* setting = plain ? find_setting(full) : nullptr;
      if (setting && (setting->files & kind_))
        apply(*setting, child);
      else if (setting)
        misplaced(*setting, child);
      else if (plain && !known_names(full + ".", kind_).empty())
        nested(child, full);
      else
        unknown(child, prefix);
    }
  }
  Complaints complaints;

 private:
  void apply(const Setting& setting, const Node& node) {
    const size_t before = complaints.size();
    Complaints own;
    setting.set(draft_.settings, node, own);
    for (const auto& c : own.list())
      complaints.add(c.at, shown(setting.key) + ": " + c.message, c.hint);
    if (setting.is_table()) {
      for (const Node& member : node.children)
        draft_.origins[std::string(setting.key) + "." + member.key] = place(file_, member.key_at);
    } else if (complaints.size() == before) {
      draft_.origins[std::string(setting.key)] = place(file_, node.key_at);
    }
  }

  void nested(const Node& child, const std::string& full) {
    if (child.type == Node::Type::table) return table(child, full + ".");
    complaints.add(child.at,
                   shown(full) + ": expected table, found " + std::string(to_string(child.type)));
  }

  void misplaced(const Setting& setting, const Node& node) {
    complaints.add(node.key_at, quoted(node.key) + " cannot stand in this file",
                   "it belongs in " + file_names(setting.files));
  }

  void unknown(const Node& child, const std::string& prefix) {
    const std::vector<std::string> names = known_names(prefix, kind_);
    const std::string near = nearest(child.key, names);
    std::string hint = "did you mean " + quoted(near) + "?";
    if (near.empty()) {
      hint = "known here:";
      for (const std::string& name : names) hint += " " + name;
    }
    if (kind_ == k_agent && prefix == root_prefix(kind_) && child.key == "agent")
      hint = "in agent.toml the keys stand without [agent]";
    complaints.add(child.key_at, "unknown key " + quoted(child.key), hint);
  }

  // A full key as it is written in this file.
  [[nodiscard]] std::string shown(std::string_view full) const {
    const std::string_view root = root_prefix(kind_);
    return std::string(full.starts_with(root) ? full.substr(root.size()) : full);
  }

  const std::string& file_;
  FileKind kind_;
  Draft& draft_;
};

}  // namespace

std::string place(const std::string& file, Position at) {
  if (at.line == 0) return file;
  return file + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
}

void apply_text(std::string_view text, const std::string& file, FileKind kind, Draft& draft,
                std::vector<Problem>& problems) {
  auto add = [&](Position at, const std::string& message, const std::string& hint) {
    problems.push_back(
        {file,
         at,
         {ErrorCode::usage, place(file, at) + ": " + printable(message), printable(hint)}});
  };
  auto tree = parse_toml(text);
  if (!tree) return add(tree.error().at, "invalid TOML: " + tree.error().message, "");
  Walk walk(file, kind, draft);
  walk.table(*tree, std::string(root_prefix(kind)));
  for (const auto& c : walk.complaints.list()) add(c.at, c.message, c.hint);
}

}  // namespace fabric::config
