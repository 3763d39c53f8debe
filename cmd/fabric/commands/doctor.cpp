// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/proofs.hpp"
#include "fabric/session.hpp"
#include "fabric/table.hpp"
#include "fabric/terminal.hpp"
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

struct DoctorView {
  HostFeatures features;
  std::vector<Proof> proofs;
};

void write_proofs(Writer& w, const std::vector<Proof>& proofs) {
  w.begin_array();
  for (const Proof& proof : proofs)
    w.begin_object()
        .field("name", proof.name)
        .field("rule", proof.rule)
        .field("verdict", to_string(proof.verdict))
        .field("detail", proof.detail)
        .end_object();
  w.end_array();
}

constexpr auto k_fields = std::to_array<JsonField<DoctorView>>({
    {"cgroups", "none, v1, hybrid or v2.",
     [](Writer& w, const DoctorView& v) { w.string(to_string(v.features.cgroups)); }},
    {"memory", "Memory can be limited.",
     [](Writer& w, const DoctorView& v) { w.boolean(v.features.memory); }},
    {"cpu", "Processor time can be limited.",
     [](Writer& w, const DoctorView& v) { w.boolean(v.features.cpu); }},
    {"pids", "The number of processes can be limited.",
     [](Writer& w, const DoctorView& v) { w.boolean(v.features.pids); }},
    {"cgroup_kill", "The kernel can kill a whole cgroup at once.",
     [](Writer& w, const DoctorView& v) { w.boolean(v.features.cgroup_kill); }},
    {"landlock_abi", "Version of Landlock; 0 without it.",
     [](Writer& w, const DoctorView& v) { w.integer(v.features.landlock_abi); }},
    {"namespaces", "Namespaces for sandboxes can be made.",
     [](Writer& w, const DoctorView& v) { w.boolean(v.features.namespaces); }},
    {"idmapped_mounts", "Directories can be shown to a sandbox under its own user id.",
     [](Writer& w, const DoctorView& v) { w.boolean(v.features.idmapped_mounts); }},
    {"lacking", "What is lacking and what mends it, or null.",
     [](Writer& w, const DoctorView& v) {
       v.features.lacking.empty() ? w.null() : w.string(v.features.lacking);
     }},
    {"proofs",
     "Each promise of a sandbox as it was tried: name, rule, verdict (holds, broken, or unproven "
     "when it does not succeed outside either) and detail; empty when no sandbox can be made.",
     [](Writer& w, const DoctorView& v) { write_proofs(w, v.proofs); }},
});
JsonShape doctor_shape() { return shape_of<k_fields>(); }

Result<HostFeatures> find_features() {
  // A group of its own name: nobody else's is touched.
  IsolationManager manager = TRY(
      IsolationManager::open(TRY(init_binary()), "fabric-doctor-" + std::to_string(::getpid())));
  HostFeatures features = manager.features();
  manager.remove_empty_root();
  return features;
}

std::string features_text(const HostFeatures& features) {
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
  // Landlock's records go to the kernel's audit: turning that on is the host's affair.
  facts.add("denied files", "told only as hints, from what a failed program printed");
  return facts.to_text();
}

std::string proofs_text(const std::vector<Proof>& proofs) {
  Table table({{"TRIED", Align::left, 10}, {"VERDICT"}, {"RULE", Align::left, 20}, {"DETAIL"}});
  for (const Proof& proof : proofs)
    table.add({proof.name,
               {std::string(to_string(proof.verdict)),
                proof.verdict == Verdict::holds    ? Colour::green
                : proof.verdict == Verdict::broken ? Colour::red
                                                   : Colour::yellow},
               proof.rule,
               proof.detail});
  return table.to_text(terminal_width());
}

// What is wrong with the machine, or with us.
Result<int> verdict_of(const DoctorView& view) {
  std::string broken;
  for (const Proof& proof : view.proofs)
    if (proof.verdict == Verdict::broken) broken += (broken.empty() ? "" : ", ") + proof.name;
  if (!broken.empty())
    return fail(ErrorCode::failed, "a sandbox does not keep what it promises: " + broken,
                "do not trust it on this machine, and report it with the output of fabric doctor "
                "--json");
  if (!view.features.lacking.empty())
    return fail(ErrorCode::unavailable,
                "this machine cannot build full sandboxes: " + view.features.lacking);
  return 0;
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  DoctorView view;
  view.features = TRY(find_features());
  const bool prove = !choice.wanted() || choice.includes("proofs");
  if (prove && view.features.namespaces)
    view.proofs = TRY(prove_sandbox(TRY(own_binary()), view.features));
  if (choice.wanted()) {
    TRY_STATUS(print(choice.object(k_fields, view) + "\n"));
    const Result<int> code = verdict_of(view);
    return code ? *code : static_cast<int>(code.error().code);
  }
  std::string text = features_text(view.features);
  if (!view.proofs.empty()) text += "\n" + proofs_text(view.proofs);
  TRY_STATUS(print(text));
  return verdict_of(view);
}

constexpr Example k_examples[] = {
    {"fabric doctor", "Says whether agents can be walled in on this machine, and how."},
    {"fabric doctor --json=lacking", "What is lacking, for a program."}};

}  // namespace

const Command k_doctor_command{
    "doctor",
    Group::maintenance,
    "show what this machine offers for sandboxes, and prove it",
    "Everything is found out by trying it: a sandbox with the default rules is made, and what each "
    "of "
    "them forbids is tried inside, and outside too: what fails there as well proves nothing. The "
    "exit code is 9 when something is lacking, with the command that mends it, and 1 when a rule "
    "does not hold.\n\n"
    "That a file was denied is told by fabric-violations(1) only as a hint: a file that is not "
    "shown "
    "leaves no record, and the kernel's audit, to which Landlock writes, is neither turned on nor "
    "read. What an agent opens can be recorded beforehand, see fabric-learned(1).",
    {},
    {},
    {},
    k_examples,
    doctor_shape,
    run,
    /*in_workspace=*/false};

}  // namespace fabric::cmd
