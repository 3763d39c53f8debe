// SPDX-License-Identifier: Apache-2.0
// A JSON object described field by field: name, meaning and how it is written. From one such list
// come the output, the choice of --json=FIELD,... and the documentation.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "base/json.hpp"

namespace fabric::cmd {

template <class T>
struct JsonField {
  std::string_view name;
  std::string_view help;
  void (*write)(json::Writer&, const T&);
};

struct FieldDoc {
  std::string_view name;
  std::string_view help;
};

// The names and meanings of a list of fields, whatever T it is of.
struct JsonShape {
  size_t count = 0;
  FieldDoc (*field)(size_t index) = nullptr;
};

template <const auto& Fields>
constexpr JsonShape shape_of() {
  return {Fields.size(), [](size_t i) { return FieldDoc{Fields[i].name, Fields[i].help}; }};
}

}  // namespace fabric::cmd
