// SPDX-License-Identifier: Apache-2.0
// Is the data file whole? LMDB maps it without looking and dies of SIGBUS where pages are missing.
//
// Its length alone does not tell: LMDB counts pages at the end that were used and freed within one
// transaction and never writes them, so a sound file can be shorter than its meta page says. We
// lengthen it after such a commit; only when we were killed in between is it walked at open.
#pragma once

#include <cstdint>

#include "base/result.hpp"

namespace fabric::store {

// Refuses a file that lacks pages it needs. An empty file is no error.
Status check_data_file(int data_file);
// Makes it at least `bytes` long; never shorter, whoever else writes. Best effort.
void lengthen_data_file(int data_file, uint64_t bytes);

}  // namespace fabric::store
