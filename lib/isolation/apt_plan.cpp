// SPDX-License-Identifier: Apache-2.0
#include "isolation/apt_plan.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "base/fd.hpp"

namespace fabric {
namespace {

constexpr const char* k_lists = "var/lib/apt/lists";
constexpr const char* k_copied[] = {"etc/apt/apt.conf.d", "etc/apt/preferences.d",
                                    "etc/apt/sources.list.d"};
constexpr const char* k_bound[] = {"etc/apt/keyrings", "etc/apt/trusted.gpg.d"};
constexpr size_t k_longest = 8192, k_most = 24576;  // bytes of all texts: they travel in the spec

// Texts that every user of the host may read. What is more is left out.
class Texts {
 public:
  explicit Texts(MountPlan& plan) : plan_(plan) {}
  void add(const std::string& target) {
    struct stat status {};
    const std::string path = "/" + target;
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return;
    if ((status.st_mode & 0004) == 0 || status.st_size > static_cast<off_t>(k_longest)) return;
    auto text = read_file(path, k_longest);
    if (!text || text->find('\0') != std::string::npos || size_ + text->size() > k_most) return;
    size_ += text->size();
    plan_.push_back({wire::k_text_file, without_credentials(*text), target});
  }

 private:
  MountPlan& plan_;
  size_t size_ = 0;
};

std::vector<std::string> files_of(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/" + directory, error))
    names.push_back(directory + "/" + entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

std::string without_credentials(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t scheme = text.find("://");
    if (scheme == std::string_view::npos) break;
    const size_t from = scheme + 3;
    size_t end = from, at = std::string_view::npos;  // of the authority; the last @ in it
    while (end < text.size() && text[end] != '/' && text[end] != '"' && !is_space(text[end])) {
      if (text[end] == '@') at = end;
      ++end;
    }
    out += text.substr(0, from);
    text.remove_prefix(at == std::string_view::npos ? from : at + 1);
  }
  return out.append(text);
}

void add_apt(MountPlan& plan) {
  struct stat status {};
  if (::stat("/etc/apt", &status) != 0 || !S_ISDIR(status.st_mode)) return;
  plan.push_back({wire::k_directory, "", "etc/apt", 0755});
  for (const char* directory : k_copied) plan.push_back({wire::k_directory, "", directory, 0755});
  Texts texts(plan);
  for (const char* file : {"etc/apt/sources.list", "etc/apt/apt.conf", "etc/apt/preferences"})
    texts.add(file);
  for (const char* directory : k_copied)
    for (const std::string& file : files_of(directory)) texts.add(file);
  for (const char* directory : k_bound)
    if (!files_of(directory).empty())
      plan.push_back({wire::k_bind_dir, std::string("/") + directory, directory});
  if (::stat("/etc/apt/trusted.gpg", &status) == 0)
    plan.push_back({wire::k_bind_file, "/etc/apt/trusted.gpg", "etc/apt/trusted.gpg"});
  if (files_of(k_lists).empty()) return;
  for (const char* directory : {"var", "var/lib", "var/lib/apt"})
    plan.push_back({wire::k_directory, "", directory, 0755});
  plan.push_back({wire::k_bind_dir, std::string("/") + k_lists, k_lists});
}

}  // namespace fabric
