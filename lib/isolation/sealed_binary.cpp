// SPDX-License-Identifier: Apache-2.0
#include "isolation/sealed_binary.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace fabric {

namespace {

constexpr unsigned k_mfd_exec = 0x10;  // Linux 6.3: executable even where that is not the default

// In the kernel: through a buffer of ours it takes as long as making a namespace.
Status copy_all(const Fd& from, const Fd& to) {
  for (;;) {
    const ssize_t moved = ::sendfile(to.get(), from.get(), nullptr, size_t{16} << 20);
    if (moved == 0) return {};
    if (moved < 0 && errno != EINTR) return fail_errno(errno, "copying");
  }
}

Result<Fd> open_executable(const std::string& path) {
  auto source = open_file(path, O_RDONLY);
  if (!source)
    return fail(ErrorCode::unavailable, "fabric-init: " + source.error().message,
                "install fabric-init next to fabric");
  std::array<char, 4> magic{};
  if (::pread(source->get(), magic.data(), magic.size(), 0) != 4 ||
      std::memcmp(magic.data(), "\177ELF", 4) != 0)
    return fail(ErrorCode::unavailable, path + ": not an executable");
  return source;
}

}  // namespace

Result<Fd> safe_binary(const std::string& path) {
  Fd source = TRY(open_executable(path));
  struct stat status {};
  if (::fstat(source.get(), &status) != 0) return fail_errno(errno, path);
  if (status.st_uid == 0 && (status.st_mode & 0022) == 0) return source;
  return seal_binary(path);
}

Result<Fd> seal_binary(const std::string& path) {
  Fd source = TRY(open_executable(path));
  int fd = ::memfd_create("fabric-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | k_mfd_exec);
  if (fd < 0 && errno == EINVAL)
    fd = ::memfd_create("fabric-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0 && errno == EACCES)  // memfd_create(2), proc(5)
    return fail(ErrorCode::unavailable, "memory files may not be executed here (vm.memfd_noexec)",
                "sysctl vm.memfd_noexec=1");
  if (fd < 0) return fail_errno(errno, "memfd_create");
  Fd memory(fd);
  TRY_STATUS(in_context(copy_all(source, memory), path));
  if (::fchmod(fd, 0555) != 0) return fail_errno(errno, "fchmod");
  constexpr int k_seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  // EBUSY: the kernel itself still holds one of its pages for a moment (fcntl(2) waits only 150
  // ms).
  for (int attempt = 0; ::fcntl(fd, F_ADD_SEALS, k_seals) != 0; ++attempt)
    if (errno != EBUSY || attempt == 10) return fail_errno(errno, "sealing fabric-init");
  return memory;
}

}  // namespace fabric
