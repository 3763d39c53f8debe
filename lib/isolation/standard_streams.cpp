// SPDX-License-Identifier: Apache-2.0
#include "isolation/standard_streams.hpp"

#include <fcntl.h>

namespace fabric {

StandardStreams::StandardStreams(bool terminal) {
  for (int fd = 0; fd < 3; ++fd) flags_[static_cast<size_t>(fd)] = ::fcntl(fd, F_GETFL);
  has_terminal_ = terminal && ::tcgetattr(0, &terminal_) == 0;
}

StandardStreams::~StandardStreams() {
  for (int fd = 0; fd < 3; ++fd) {
    const int before = flags_[static_cast<size_t>(fd)];
    if (before >= 0 && ::fcntl(fd, F_GETFL) != before) ::fcntl(fd, F_SETFL, before);
  }
  if (has_terminal_ && died_) ::tcsetattr(0, TCSADRAIN, &terminal_);
}

}  // namespace fabric
