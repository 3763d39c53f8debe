// SPDX-License-Identifier: Apache-2.0
#include "fabric/arguments.hpp"
#include "fabric/commands.hpp"
#include "fabric/help.hpp"
#include "fabric/output.hpp"

namespace fabric::cmd {
namespace {

struct Version {
  std::string_view version = FABRIC_VERSION;
};

constexpr auto k_fields = std::to_array<JsonField<Version>>({
    {"version", "The version of this program.",
     [](json::Writer& w, const Version& v) { w.string(v.version); }},
});
JsonShape version_shape() { return shape_of<k_fields>(); }

// A bare `fabric version` is answered before this, by dispatch.
Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  TRY_STATUS(print(choice.wanted() ? choice.object(k_fields, Version{}) + "\n" : version_line()));
  return 0;
}

constexpr Example k_examples[] = {{"fabric version", "The version, for people."},
                                  {"fabric version --json", "The version, for a program."}};

}  // namespace

const Command k_version_command{"version",
                                Group::maintenance,
                                "print the version",
                                "",
                                {},
                                {},
                                {},
                                k_examples,
                                version_shape,
                                run,
                                /*in_workspace=*/false};

}  // namespace fabric::cmd
