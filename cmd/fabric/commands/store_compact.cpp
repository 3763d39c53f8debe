// SPDX-License-Identifier: Apache-2.0
#include "base/size.hpp"
#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "store/ownership.hpp"

namespace fabric::cmd {
namespace {

struct Compacted {
  uint64_t before_bytes = 0;
  uint64_t after_bytes = 0;
};

constexpr auto k_fields = std::to_array<JsonField<Compacted>>({
    {"before_bytes", "Size of the file before.",
     [](json::Writer& w, const Compacted& v) { w.integer(static_cast<int64_t>(v.before_bytes)); }},
    {"after_bytes", "Size of the file after.",
     [](json::Writer& w, const Compacted& v) { w.integer(static_cast<int64_t>(v.after_bytes)); }},
});
JsonShape compact_shape() { return shape_of<k_fields>(); }

Result<uint64_t> file_bytes(const config::Workspace& workspace) {
  const store::Store store = TRY(open_store(workspace));
  return TRY(store.stat()).file_bytes;
}

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const auto owner = TRY(store::Ownership::acquire(
      workspace.owner_path(), store::Ownership::Kind::exclusive, Duration::seconds(2)));
  if (!owner)
    return fail(ErrorCode::failed, "compacting the store: a supervisor or another command uses it",
                "stop the supervisor first: fabric down");
  Compacted result;
  result.before_bytes = TRY(file_bytes(workspace));
  TRY_STATUS(store::compact(workspace.store_dir()));
  result.after_bytes = TRY(file_bytes(workspace));
  TRY_STATUS(print(choice.wanted() ? choice.object(k_fields, result) + "\n"
                                   : "compacted the store: " + human_size(result.before_bytes) +
                                         " before, " + human_size(result.after_bytes) + " now\n"));
  return 0;
}

constexpr Example k_examples[] = {
    {"fabric down && fabric store compact", "Gives unused space back to the file system."},
    {"fabric store compact --json", "The same, with both sizes for a program."}};

}  // namespace

const Command k_store_compact_command{"store compact",
                                      Group::maintenance,
                                      "rewrite the store without unused space",
                                      "Needs the workspace for itself: no supervisor may run. When "
                                      "it is interrupted, the store is the "
                                      "old one or the new one, whole.",
                                      {},
                                      {},
                                      {},
                                      k_examples,
                                      compact_shape,
                                      run};

}  // namespace fabric::cmd
