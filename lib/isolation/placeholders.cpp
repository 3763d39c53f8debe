// SPDX-License-Identifier: Apache-2.0
#include "isolation/placeholders.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <set>

#include "isolation/host_path.hpp"

namespace fabric {

namespace {

constexpr std::string_view k_suffix = ".placeholders";
constexpr std::string_view k_common_dir_text = ".\n";
constexpr std::string_view k_letters = "fdc";  // Stand from file on

// One line "LETTER INODE TREE\tRELATIVE"; rules hold no control characters, but names that a walk
// finds may: those are refused before (make_placeholders).
struct Record {
  Placeholder made;
  uint64_t inode = 0;  // 0: not known to have been made

  [[nodiscard]] std::string path() const { return join_path(made.tree, made.relative); }
};

std::string encode(const std::vector<Record>& records) {
  std::string text;
  for (const Record& r : records)
    text += std::string(1, k_letters[static_cast<size_t>(r.made.stand) - 1]) + " " +
            std::to_string(r.inode) + " " + r.made.tree + "\t" + r.made.relative + "\n";
  return text;
}

std::vector<Record> decode(const std::string& text) {
  std::vector<Record> records;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    const size_t letter = line.empty() ? k_letters.npos : k_letters.find(line[0]);
    const size_t space = line.find(' ', 2), tab = line.find('\t');
    if (letter == k_letters.npos || space == line.npos || tab == line.npos || tab < space) continue;
    Record record;
    record.made.stand = static_cast<Stand>(letter + 1);
    std::from_chars(line.data() + 2, line.data() + space, record.inode);
    record.made.tree = line.substr(space + 1, tab - space - 1);
    record.made.relative = line.substr(tab + 1);
    records.push_back(std::move(record));
  }
  return records;
}

std::vector<Record> read_list(const std::string& list) {
  auto text = read_file(list);
  return text ? decode(*text) : std::vector<Record>{};
}

// What other sandboxes beside this one have made and still need.
std::vector<Record> others(const std::string& list) {
  std::vector<Record> all;
  std::error_code error;
  const std::filesystem::path own(list);
  for (const auto& entry : std::filesystem::directory_iterator(own.parent_path(), error)) {
    if (!entry.path().native().ends_with(k_suffix) || entry.path() == own) continue;
    for (Record& record : read_list(entry.path().native())) all.push_back(std::move(record));
  }
  return all;
}

std::pair<std::string, std::string> split(const std::string& relative) {
  const size_t slash = relative.rfind('/');
  if (slash == std::string::npos) return {"", relative};
  return {relative.substr(0, slash), relative.substr(slash + 1)};
}

Result<Fd> open_parent(const Placeholder& placeholder, std::string& name) {
  auto [parent, last] = split(placeholder.relative);
  name = last;
  const Fd tree = TRY(open_resolved(placeholder.tree, O_PATH | O_DIRECTORY));
  return open_beneath(tree, parent, O_RDONLY | O_DIRECTORY);
}

// Owned by whom the directory is: for people outside it is a file like their others.
Result<uint64_t> make_one(const Placeholder& placeholder) {
  std::string name;
  const Fd parent = TRY(open_parent(placeholder, name));
  struct stat above {};
  ::fstat(parent.get(), &above);
  const bool directory = placeholder.stand == Stand::directory;
  if (directory && ::mkdirat(parent.get(), name.c_str(), 0755) != 0)
    return fail_errno(errno, "making a placeholder: " + placeholder.relative);
  const int flags = directory ? O_RDONLY | O_DIRECTORY : O_WRONLY | O_CREAT | O_EXCL;
  const Fd made = TRY(open_at(parent, name, flags | O_NOFOLLOW, 0644));
  Status filled;
  if (placeholder.stand == Stand::common_dir) filled = write_all(made.get(), k_common_dir_text);
  if (filled && ::geteuid() == 0 && ::fchown(made.get(), above.st_uid, above.st_gid) != 0)
    filled = fail_errno(errno, "giving a placeholder away");
  struct stat status {};
  if (filled && ::fstat(made.get(), &status) != 0) filled = fail_errno(errno, placeholder.relative);
  if (filled) return status.st_ino;
  ::unlinkat(parent.get(), name.c_str(), directory ? AT_REMOVEDIR : 0);
  return fail(std::move(filled).error());
}

bool still_as_made(const Fd& parent, const std::string& name, const Record& record) {
  struct stat status {};
  if (::fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return false;
  if (record.inode != 0 && status.st_ino != record.inode) return false;
  switch (record.made.stand) {
    case Stand::directory:
      return S_ISDIR(status.st_mode);  // rmdir(2) sees whether it is empty
    case Stand::common_dir: {
      if (status.st_size == 0) return S_ISREG(status.st_mode);  // we died before it was written
      auto file = open_at(parent, name, O_RDONLY | O_NOFOLLOW);
      return file && read_all(file->get(), 64).value_or("") == k_common_dir_text;
    }
    default:
      return S_ISREG(status.st_mode) && status.st_size == 0;
  }
}

void remove_one(const Record& record) {
  std::string name;
  auto parent = open_parent(record.made, name);
  if (!parent || !still_as_made(*parent, name, record)) return;
  ::unlinkat(parent->get(), name.c_str(), record.made.stand == Stand::directory ? AT_REMOVEDIR : 0);
}

Status write_list(const std::string& list, const std::vector<Record>& records, bool to_disk) {
  const Fd file = TRY(open_file(list, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  TRY_STATUS(write_all(file.get(), encode(records)));
  if (to_disk && ::fdatasync(file.get()) != 0) return fail_errno(errno, list);
  return {};
}

bool has_line_breaks(const Placeholder& placeholder) {
  return (placeholder.tree + placeholder.relative).find_first_of("\n\t") != std::string::npos;
}

}  // namespace

std::string placeholder_list(const std::string& control_socket) {
  return control_socket + std::string(k_suffix);
}

Status make_placeholders(const std::string& list, const std::vector<Placeholder>& wanted,
                         const std::vector<std::string>& present) {
  std::vector<Record> records;
  if (!present.empty()) {
    const std::set<std::string> here(present.begin(), present.end());
    std::set<std::string> taken;
    for (Record& record : others(list))
      if (here.contains(record.path()) && taken.insert(record.path()).second)
        records.push_back(std::move(record));
  }
  const size_t shared = records.size();
  for (const Placeholder& placeholder : wanted) {
    if (has_line_breaks(placeholder))
      return fail(ErrorCode::usage, "a path to protect has a line break in its name", "rename it");
    records.push_back({placeholder, 0});
  }
  if (records.empty()) return {};
  // Before the first is made. The inodes need not survive the machine, only us: an entry without
  // one is removed when it is empty.
  TRY_STATUS(write_list(list, records, true));
  for (size_t i = shared; i < records.size(); ++i) {
    auto inode = make_one(records[i].made);
    if (!inode) {
      records.resize(i);  // this one is not ours: somebody else may have made it meanwhile
      if (write_list(list, records, false)) (void)remove_placeholders(list);
      return fail(std::move(inode).error());
    }
    records[i].inode = *inode;
  }
  const std::string next = list + ".new";
  TRY_STATUS(write_list(next, records, false));
  if (::rename(next.c_str(), list.c_str()) != 0) return fail_errno(errno, list);
  return {};
}

Status remove_placeholders(const std::string& list) {
  std::vector<Record> records = read_list(list);
  if (!records.empty()) {
    std::set<std::string> needed;
    for (const Record& record : others(list)) needed.insert(record.path());
    std::reverse(records.begin(), records.end());  // what is in a directory before it
    for (const Record& record : records)
      if (!needed.contains(record.path())) remove_one(record);
  }
  ::unlink((list + ".new").c_str());
  if (::unlink(list.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR)
    return fail_errno(errno, list);
  return {};
}

}  // namespace fabric
