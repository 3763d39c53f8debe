// SPDX-License-Identifier: Apache-2.0
#include "processor.hpp"

#include "sys.hpp"

namespace fabric::init {

namespace {

constexpr unsigned k_most = 1024;  // processors; with more of them nothing is done
constexpr unsigned k_bits = 8 * sizeof(unsigned long);
unsigned long allowed[k_most / k_bits];
long size;  // of what the kernel wrote there; 0: we are not bound

}  // namespace

void stay_on_processor() {
  unsigned processor = 0;
  unsigned long here[k_most / k_bits] = {};
  size = syscall(SYS_sched_getaffinity, 0, sizeof allowed, allowed);
  if (size > 0 && syscall(SYS_getcpu, &processor, nullptr, nullptr) == 0 && processor < k_most)
    here[processor / k_bits] = 1UL << (processor % k_bits);
  if (size <= 0 || syscall(SYS_sched_setaffinity, 0, sizeof here, here) != 0) size = 0;
}

void leave_processor() {
  if (size > 0) syscall(SYS_sched_setaffinity, 0, size, allowed);
}

}  // namespace fabric::init
