// SPDX-License-Identifier: Apache-2.0
// What this machine can do, found by trying.
#pragma once

#include "isolation/cgroup_host.hpp"
#include "isolation/id_map.hpp"
#include "isolation/isolation_manager.hpp"

namespace fabric {

// The uid of an agent is this plus its number.
constexpr uint32_t k_first_agent_uid = 100000;

// What is known without making anything; `namespaces` is taken for granted.
HostFeatures cheap_features(const CgroupHost& cgroups);
// The rest, found by trying.
void probe_features(HostFeatures& features, IdMaps& maps);
// That level process cannot be, and why.
Error namespaces_lacking(const HostFeatures& features);
// Refused with what is lacking and what to do; see IsolationManager::check.
Status check_spec(const SandboxSpec& spec, const HostFeatures& features);

}  // namespace fabric
