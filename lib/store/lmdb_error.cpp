// SPDX-License-Identifier: Apache-2.0
#include "store/lmdb_error.hpp"

#include <lmdb.h>

#include <cerrno>

namespace fabric::store {

bool is_disk_full(int rc) { return rc == ENOSPC || rc == EDQUOT || rc == EFBIG; }

tl::unexpected<Error> fail_lmdb(int rc, const std::string& what) {
  if (is_disk_full(rc))
    return fail(ErrorCode::unavailable, what + ": disk full",
                "nothing was changed; free some space and try again");
  switch (rc) {
    case MDB_MAP_FULL:
      return fail(
          ErrorCode::unavailable, what + ": more in one transaction than the map had room for",
          "nothing was changed; the map grows now: try again, or raise RLIMIT_AS (ulimit -v)");
    case MDB_TXN_FULL:
      return fail(ErrorCode::usage, what + ": too much for one transaction", "split the batch");
    case MDB_READERS_FULL:
      return fail(ErrorCode::unavailable, what + ": too many processes read the store at once",
                  "try again");
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
      return fail(ErrorCode::failed, what + ": the store is damaged: " + ::mdb_strerror(rc),
                  "run 'fabric store check'");
    default:
      return fail(ErrorCode::failed, what + ": " + ::mdb_strerror(rc));
  }
}

}  // namespace fabric::store
