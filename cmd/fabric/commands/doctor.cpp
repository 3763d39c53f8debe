// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/table.hpp"
#include "isolation/isolation_manager.hpp"

namespace fabric::cmd {
namespace {

std::string_view to_string(CgroupMode mode) {
  switch (mode) {
    case CgroupMode::none:
      return "none";
    case CgroupMode::v1:
      return "v1";
    case CgroupMode::hybrid:
      return "hybrid";
    case CgroupMode::v2:
      return "v2";
  }
  return "none";
}

using json::Writer;

constexpr auto k_fields = std::to_array<JsonField<HostFeatures>>({
    {"cgroups", "none, v1, hybrid or v2.",
     [](Writer& w, const HostFeatures& v) { w.string(to_string(v.cgroups)); }},
    {"memory", "Memory can be limited.",
     [](Writer& w, const HostFeatures& v) { w.boolean(v.memory); }},
    {"cpu", "Processor time can be limited.",
     [](Writer& w, const HostFeatures& v) { w.boolean(v.cpu); }},
    {"pids", "The number of processes can be limited.",
     [](Writer& w, const HostFeatures& v) { w.boolean(v.pids); }},
    {"cgroup_kill", "The kernel can kill a whole cgroup at once.",
     [](Writer& w, const HostFeatures& v) { w.boolean(v.cgroup_kill); }},
    {"landlock_abi", "Version of Landlock; 0 without it.",
     [](Writer& w, const HostFeatures& v) { w.integer(v.landlock_abi); }},
    {"namespaces", "Namespaces for sandboxes can be made.",
     [](Writer& w, const HostFeatures& v) { w.boolean(v.namespaces); }},
    {"idmapped_mounts", "Directories can be shown to a sandbox under its own user id.",
     [](Writer& w, const HostFeatures& v) { w.boolean(v.idmapped_mounts); }},
    {"lacking", "What is lacking and what mends it, or null.",
     [](Writer& w, const HostFeatures& v) { v.lacking.empty() ? w.null() : w.string(v.lacking); }},
});
JsonShape doctor_shape() { return shape_of<k_fields>(); }

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  // A group of its own name: nobody else's is touched.
  IsolationManager manager = TRY(
      IsolationManager::open(TRY(init_binary()), "fabric-doctor-" + std::to_string(::getpid())));
  const HostFeatures features = manager.features();
  manager.remove_empty_root();
  const int code = features.lacking.empty() ? 0 : static_cast<int>(ErrorCode::unavailable);
  if (choice.wanted()) {
    TRY_STATUS(print(choice.object(k_fields, features) + "\n"));
    return code;
  }
  Facts facts;
  const auto say = [&](std::string_view name, bool there) {
    facts.add(name, there ? "yes" : "no", there ? Colour::green : Colour::red);
  };
  facts.add("cgroups", std::string(to_string(features.cgroups)));
  say("memory limits", features.memory);
  say("cpu limits", features.cpu);
  say("process limits", features.pids);
  say("cgroup.kill", features.cgroup_kill);
  say("namespaces", features.namespaces);
  say("idmapped mounts", features.idmapped_mounts);
  facts.add("landlock",
            features.landlock_abi > 0 ? "version " + std::to_string(features.landlock_abi) : "no");
  TRY_STATUS(print(facts.to_text()));
  if (code != 0)
    return fail(ErrorCode::unavailable,
                "this machine cannot build full sandboxes: " + features.lacking);
  return 0;
}

constexpr Example k_examples[] = {
    {"fabric doctor", "Says whether agents can be walled in on this machine, and how."},
    {"fabric doctor --json=lacking", "What is lacking, for a program."}};

}  // namespace

const Command k_doctor_command{
    "doctor",
    Group::maintenance,
    "show what this machine offers for sandboxes",
    "Everything is found out by trying it. The exit code is 9 when something is lacking.",
    {},
    {},
    {},
    k_examples,
    doctor_shape,
    run,
    /*in_workspace=*/false};

}  // namespace fabric::cmd
