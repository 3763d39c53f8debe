// SPDX-License-Identifier: Apache-2.0
// A worker's conversation: lines waiting for its stdin, lines from its stdout waiting to be
// acknowledged. Kept beyond the worker's end, until its exit is acknowledged.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "isolation/init_wire.hpp"

namespace fabric::init {

struct LineRecord {  // then `size` bytes, padded to 8
  uint32_t size;
  uint32_t flags;
  uint64_t sequence;
};

struct Worker {
  bool used = false;
  bool ended = false;
  uint64_t attempt = 0;

  char* input = nullptr;  // [input_head, input_end) is not yet written to the worker
  size_t input_head = 0, input_end = 0;

  char* store = nullptr;  // [head, end) are records; a partial line grows behind `end`
  size_t head = 0, end = 0;
  size_t partial = 0;
  bool partial_truncated = false;
  uint64_t next_sequence = 1;
  uint64_t last_key = 0;  // of the requests taken
  size_t to_send = 0;     // the record to send next ...
  size_t sent_of_it = 0;  // ... and how much of it the connection took
};

Worker* new_worker(uint64_t attempt);  // nullptr: too many
Worker* find_worker(uint64_t attempt);
void free_worker(Worker& worker);
// Calls for each worker that is in use.
void each_worker(void (*call)(Worker&, void*), void* context);

bool queue_line(Worker& worker, const char* bytes, size_t size);  // false: full
// Whether the worker may be read now: false while too much is unacknowledged.
bool may_read(const Worker& worker);
void store_output(Worker& worker, const char* bytes, size_t size);
void finish_output(Worker& worker);  // end of file: an unfinished line counts as one
void acknowledge_lines(Worker& worker, uint64_t sequence);
void send_again(Worker& worker);  // all that is not acknowledged
inline bool all_sent(const Worker& worker) { return worker.to_send == worker.end; }

}  // namespace fabric::init
