// SPDX-License-Identifier: Apache-2.0
// What a sandbox is used for, while it is learned (learn.cpp).
#pragma once

#include "init.hpp"
#include "isolation/bpf_run.hpp"

namespace fabric::init {

bool learns(const Spec& spec);
// A call for which its process waits. An error that it is to get; 0: it goes on.
int learn_call(const Spec& spec, const Slot& slot, uint32_t pid, const SystemCall& call);
// The command of an attempt: what executes it is ours.
void learn_command(const Spec& spec, const Slot& slot, const char* path);
// The oldest that was not told yet, until learned_sent() says that it was.
bool next_learned(wire::Header& header, const char*& path);
void learned_sent(const wire::Header& header);

}  // namespace fabric::init
