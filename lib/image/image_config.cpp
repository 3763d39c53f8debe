// SPDX-License-Identifier: Apache-2.0
#include "image/image_config.hpp"

#include "base/json.hpp"

namespace fabric {

namespace {

constexpr size_t k_most_strings = 1024;

bool plain(std::string_view text) { return text.find('\0') == std::string_view::npos; }

// Absent and null are an empty list.
Result<std::vector<std::string>> strings(const json::Value& object, std::string_view name) {
  std::vector<std::string> out;
  const json::Value* list = json::find(object, name);
  if (list == nullptr || list->IsNull()) return out;
  if (!list->IsArray() || list->Size() > k_most_strings)
    return fail(ErrorCode::usage, "its configuration: " + std::string(name) + " is no list");
  for (const json::Value& item : list->GetArray()) {
    if (!item.IsString() || !plain(json::text_of(item)))
      return fail(ErrorCode::usage, "its configuration: " + std::string(name) + " has no strings");
    out.emplace_back(json::text_of(item));
  }
  return out;
}

}  // namespace

Result<ImageConfig> parse_image_config(std::string_view text) {
  const json::Document document = TRY(json::parse(text));
  ImageConfig config;
  const json::Value* inner = json::find(document, "config");
  if (inner == nullptr || inner->IsNull()) return config;
  config.env = TRY(strings(*inner, "Env"));
  std::erase_if(config.env, [](const std::string& entry) {
    const size_t equals = entry.find('=');
    return equals == 0 || equals == std::string::npos;
  });
  config.entrypoint = TRY(strings(*inner, "Entrypoint"));
  config.command = TRY(strings(*inner, "Cmd"));
  config.working_dir = json::get_string(*inner, "WorkingDir").value_or("");
  config.user = json::get_string(*inner, "User").value_or("");
  if (!plain(config.working_dir) || !plain(config.user))
    return fail(ErrorCode::usage, "its configuration has a NUL byte");
  if (!config.working_dir.starts_with('/')) config.working_dir.clear();
  return config;
}

std::string to_json(const ImageConfig& config) {
  json::Writer w;
  auto list = [&w](std::string_view name, const std::vector<std::string>& items) {
    w.key(name).begin_array();
    for (const std::string& item : items) w.string(item);
    w.end_array();
  };
  w.begin_object().key("config").begin_object();
  list("Env", config.env);
  list("Entrypoint", config.entrypoint);
  list("Cmd", config.command);
  w.field("WorkingDir", config.working_dir).field("User", config.user);
  w.end_object().end_object();
  return w.take();
}

}  // namespace fabric
