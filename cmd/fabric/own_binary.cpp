// SPDX-License-Identifier: Apache-2.0
// Where our programs are. Apart from session.cpp because fabric-run has no store and no workspace.
#include <unistd.h>

#include <array>
#include <cerrno>

#include "fabric/session.hpp"

namespace fabric::cmd {

Result<std::string> own_binary() {
  std::array<char, 4096> path{};
  const ssize_t n = ::readlink("/proc/self/exe", path.data(), path.size());
  if (n <= 0) return fail_errno(errno, "/proc/self/exe");
  return std::string(path.data(), static_cast<size_t>(n));
}

Result<std::string> init_binary() {
  const std::string self = TRY(own_binary());
  const std::string directory = self.substr(0, self.rfind('/'));
  for (const char* place :
       {"/../libexec/fabric/fabric-init", "/../fabric-init/fabric-init", "/fabric-init"})
    if (::access((directory + place).c_str(), X_OK) == 0) return directory + place;
  return fail(ErrorCode::unavailable, "fabric-init not found beside " + self,
              "install fabric again: it belongs to /usr/libexec/fabric");
}

}  // namespace fabric::cmd
