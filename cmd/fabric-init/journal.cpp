// SPDX-License-Identifier: Apache-2.0
// Exits: written to the journal first, then sent until acknowledged. The journal is a preallocated
// ring that outlives us; it is not synced, since after a power cut no attempt runs anyway.
#include <time.h>

#include "init.hpp"
#include "sys.hpp"

namespace fabric::init {

bool journal_full(const Init& init) {
  uint32_t used = 0;
  for (const PendingExit& exit : init.exits) used += exit.used ? 1 : 0;
  return used + init.slot_count() >= wire::k_journal_records;
}

void record_exit(Init& init, wire::ExitRecord record) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  record.ended_at_us = int64_t{now.tv_sec} * 1000000 + now.tv_nsec / 1000;
  record.magic = wire::k_exit_magic;
  record.sequence = init.journal_sequence++;
  record.checksum = wire::checksum(record);
  // Not over a record that is still unacknowledged: the ring and the table have the same size.
  PendingExit* pending = nullptr;
  for (uint32_t tried = 0; tried < wire::k_journal_records && pending == nullptr; ++tried) {
    uint32_t at = init.journal_next;
    init.journal_next = (at + 1) % wire::k_journal_records;
    if (init.exits[at].used) continue;
    pending = &init.exits[at];
    ssize_t written =
        pwrite(init.spec.journal, &record, sizeof record, static_cast<off_t>(at * sizeof record));
    if (written != static_cast<ssize_t>(sizeof record)) continue;  // still sent, from memory
  }
  if (pending == nullptr) return;  // cannot be: starts are refused before the table is full
  pending->record = record;
  pending->used = true;
  pending->sent = false;
}

PendingExit* find_exit(Init& init, uint64_t attempt) {
  for (PendingExit& exit : init.exits)
    if (exit.used && exit.record.attempt == attempt) return &exit;
  return nullptr;
}

void acknowledge_exit(Init& init, uint64_t attempt) {
  PendingExit* exit = find_exit(init, attempt);
  if (exit == nullptr) return;
  exit->used = false;
  if (Worker* worker = find_worker(attempt)) {
    if (worker->ended) free_worker(*worker);
  }
}

}  // namespace fabric::init
