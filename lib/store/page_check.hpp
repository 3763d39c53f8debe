// SPDX-License-Identifier: Apache-2.0
// Checks the pages of an LMDB file as they are on the disk, without LMDB: it trusts them, and a
// damaged one makes it crash or answer wrongly. What passes here is safe to walk with LMDB.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "store/meta_page.hpp"

namespace fabric::store {

// The snapshot that `meta` describes must not change meanwhile (hold a read transaction on it).
// Calls `problem` for each that is found.
void check_pages(int data_file, const MetaPage& meta,
                 const std::function<void(const std::string&)>& problem);

// The same for what everybody reads first, the list of tables and the table `meta`: some pages.
void check_table_list(int data_file, const MetaPage& meta,
                      const std::function<void(const std::string&)>& problem);

}  // namespace fabric::store
