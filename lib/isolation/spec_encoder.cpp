// SPDX-License-Identifier: Apache-2.0
#include "isolation/spec_encoder.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

namespace fabric {

namespace {

class Text {
 public:
  explicit Text(size_t room) {
    bytes_.reserve(room);
    bytes_.push_back('\0');
  }
  // Offset 0 is the empty string.
  uint32_t add(const std::string& text) {
    if (text.empty()) return 0;
    auto offset = static_cast<uint32_t>(bytes_.size());
    bytes_.append(text.c_str(), text.size() + 1);
    return offset;
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

template <class T>
void append(std::string& out, const T* values, size_t count) {
  if (count != 0) out.append(reinterpret_cast<const char*>(values), sizeof(T) * count);
}

}  // namespace

wire::TaskLimits task_limits(const Limits& limits) {
  wire::TaskLimits task{};
  task.max_open_files = limits.nofile;
  // More than this only for who asks: select() cannot, and some close every one that there may be.
  task.open_files = std::min<uint64_t>(1024, limits.nofile);
  task.file_size = limits.file_size_bytes;
  task.output_rate = limits.output_rate;
  task.pending_signals = uint64_t{limits.pids} * 8;  // counted for all of its user together
  return task;
}

Result<std::string> encode_spec(const InitSpec& spec) {
  size_t room = 4096;
  for (const MountStep& step : spec.mounts) room += step.source.size() + step.target.size() + 2;
  Text text(room);
  std::vector<wire::MountOp> mounts;
  mounts.reserve(spec.mounts.size());
  for (const MountStep& step : spec.mounts) {
    wire::MountOp& op = mounts.emplace_back();
    op.kind = step.kind;
    op.source = text.add(step.source);
    op.target = text.add(step.target);
    op.argument = step.argument;
  }
  wire::SpecHead head{};
  head.version = wire::k_version;
  head.flags = spec.flags;
  head.slots = spec.slots;
  head.uid = spec.uid;
  head.gid = spec.gid;
  head.journal_next = spec.journal_next;
  head.journal_sequence = spec.journal_sequence;
  head.orphan_grace_ns = spec.orphan_grace_ns;
  head.limits = spec.limits;
  head.work_dir = text.add(spec.work_dir);
  head.host_name = text.add(spec.host_name);
  head.probe = text.add(spec.probe);
  head.path_env = text.add(spec.path_env);
  head.networks = text.add(spec.networks);
  head.mount_count = static_cast<uint32_t>(mounts.size());
  std::vector<wire::DenialRule> denials;
  if (spec.filter != nullptr) {
    head.filter_count = static_cast<uint32_t>(spec.filter->program.size());
    for (const SeccompRule& rule : spec.filter->rules)
      denials.push_back({text.add(rule.name), rule.error, rule.arguments, rule.report ? 1U : 0U});
  }
  head.denial_count = static_cast<uint32_t>(denials.size());
  head.text_size = static_cast<uint32_t>(text.bytes().size());

  wire::Header header{wire::k_spec, 0, 0, 0, 0};
  std::string packet;
  packet.reserve(room + (size_t{16} << 10));
  append(packet, &header, 1);
  append(packet, &head, 1);
  append(packet, mounts.data(), mounts.size());
  if (spec.filter != nullptr)
    append(packet, spec.filter->program.data(), spec.filter->program.size());
  append(packet, denials.data(), denials.size());
  packet += text.bytes();
  const size_t body = packet.size() - sizeof header;
  if (body > wire::k_max_spec || mounts.size() > 1024 || denials.size() > wire::k_max_denial_rules)
    return fail(ErrorCode::usage, "the description of the sandbox is too large",
                "give it fewer rules about paths, or directories with fewer git repositories");
  header.size = static_cast<uint32_t>(body);
  std::memcpy(packet.data(), &header, sizeof header);
  return packet;
}

}  // namespace fabric
