// SPDX-License-Identifier: Apache-2.0
#include "egress/redactor.hpp"

#include <algorithm>

namespace fabric::egress {

std::string Redactor::feed(std::string_view bytes) {
  std::string all = std::exchange(held_, {});
  all += bytes;
  if (text_.empty()) return all;
  for (size_t at = all.find(text_); at != std::string::npos; at = all.find(text_, at))
    all.replace(at, text_.size(), text_.size(), '*');
  size_t keep = std::min(all.size(), text_.size() - 1);
  while (keep > 0 && all.compare(all.size() - keep, keep, text_, 0, keep) != 0) --keep;
  held_ = all.substr(all.size() - keep);
  all.resize(all.size() - keep);
  return all;
}

}  // namespace fabric::egress
