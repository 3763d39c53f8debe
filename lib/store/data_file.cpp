// SPDX-License-Identifier: Apache-2.0
#include "store/data_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "store/meta_page.hpp"
#include "store/page_check.hpp"

namespace fabric::store {
namespace {

constexpr const char* k_hint = "restore a backup ('fabric store backup' makes one)";

// One look; a writer may be at work meanwhile.
Status look(int data_file) {
  struct stat info {};
  if (::fstat(data_file, &info) != 0) return fail_errno(errno, "data.mdb");
  if (info.st_size == 0) return {};
  const Result<MetaPage> meta = read_meta_page(data_file);
  if (!meta) return fail(ErrorCode::failed, "data.mdb: " + meta.error().message, k_hint);
  // After the meta page: pages are written before the meta page that counts them.
  if (::fstat(data_file, &info) != 0) return fail_errno(errno, "data.mdb");
  const auto have = static_cast<uint64_t>(info.st_size);
  const uint64_t counted = (meta->last_page + 1) * meta->page_size;
  if (have >= counted) return {};
  std::string first_problem;
  // Of a damaged meta page too: no memory for more pages than the file can have had.
  if (meta->last_page / 64 > have / meta->page_size + 1024)
    first_problem = "far too short";
  else
    check_pages(data_file, *meta, [&](const std::string& problem) {
      if (first_problem.empty()) first_problem = problem;
    });
  if (first_problem.empty()) return {};
  return fail(ErrorCode::failed,
              "data.mdb is cut off: it has " + std::to_string(have) + " of " +
                  std::to_string(counted) + " bytes (" + first_problem + ")",
              k_hint);
}

}  // namespace

Status check_data_file(int data_file) {
  Status status = look(data_file);
  // A writer may have been between its pages and their meta page: look again before complaining.
  for (int attempt = 0; !status && attempt < 3; ++attempt) status = look(data_file);
  return status;
}

void lengthen_data_file(int data_file, uint64_t bytes) {
  struct stat info {};
  if (::fstat(data_file, &info) != 0 || static_cast<uint64_t>(info.st_size) >= bytes) return;
  // Not ftruncate: another process may have lengthened it since we looked.
  static_cast<void>(
      ::fallocate(data_file, 0, info.st_size, static_cast<off_t>(bytes) - info.st_size));
}

}  // namespace fabric::store
