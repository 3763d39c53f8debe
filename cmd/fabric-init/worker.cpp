// SPDX-License-Identifier: Apache-2.0
#include "worker.hpp"

#include <sys/mman.h>

#include "sys.hpp"

namespace fabric::init {

namespace {

constexpr size_t k_read = 64 << 10;
// Worst case of one read that is allowed just below the limit: every byte a line of its own.
constexpr size_t k_store =
    wire::k_max_unacknowledged + wire::k_max_line + k_read * 3 * 8 + 2 * sizeof(LineRecord);
constexpr size_t k_workers = 2 * wire::k_max_slots;

Worker workers[k_workers];

char* map(size_t size) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
}

size_t padded(size_t size) { return (size + 7) & ~size_t{7}; }

LineRecord& record_at(Worker& worker, size_t offset) {
  return *reinterpret_cast<LineRecord*>(worker.store + offset);
}

void compact(Worker& worker) {
  if (worker.head == 0) return;
  size_t used = worker.end - worker.head;
  size_t partial = worker.partial != 0 ? sizeof(LineRecord) + worker.partial : 0;
  if (used == 0 && partial == 0 && worker.end > k_read)
    madvise(worker.store, k_store, MADV_DONTNEED);
  memmove(worker.store, worker.store + worker.head, used + partial);
  worker.to_send -= worker.head;
  worker.head = 0;
  worker.end = used;
}

void end_line(Worker& worker) {
  LineRecord& record = record_at(worker, worker.end);
  record.size = static_cast<uint32_t>(worker.partial);
  record.flags = worker.partial_truncated ? wire::k_truncated : 0;
  record.sequence = worker.next_sequence++;
  worker.end += sizeof(LineRecord) + padded(worker.partial);
  worker.partial = 0;
  worker.partial_truncated = false;
}

}  // namespace

Worker* new_worker(uint64_t attempt) {
  for (Worker& worker : workers) {
    if (worker.used) continue;
    worker = Worker{};
    worker.input = map(wire::k_max_queued_input);
    worker.store = map(k_store);
    worker.used = true;
    worker.attempt = attempt;
    if (worker.input != nullptr && worker.store != nullptr) return &worker;
    free_worker(worker);
    return nullptr;
  }
  return nullptr;
}

Worker* find_worker(uint64_t attempt) {
  for (Worker& worker : workers)
    if (worker.used && worker.attempt == attempt) return &worker;
  return nullptr;
}

void free_worker(Worker& worker) {
  if (worker.input != nullptr) munmap(worker.input, wire::k_max_queued_input);
  if (worker.store != nullptr) munmap(worker.store, k_store);
  worker = Worker{};
}

void each_worker(void (*call)(Worker&, void*), void* context) {
  for (Worker& worker : workers)
    if (worker.used) call(worker, context);
}

bool queue_line(Worker& worker, const char* bytes, size_t size) {
  size_t used = worker.input_end - worker.input_head;
  if (used + size + 1 > wire::k_max_queued_input) return false;
  if (worker.input_end + size + 1 > wire::k_max_queued_input || used == 0) {
    memmove(worker.input, worker.input + worker.input_head, used);
    worker.input_head = 0;
    worker.input_end = used;
  }
  memcpy(worker.input + worker.input_end, bytes, size);
  worker.input_end += size;
  worker.input[worker.input_end++] = '\n';
  return true;
}

bool may_read(const Worker& worker) {
  return worker.end - worker.head < wire::k_max_unacknowledged;
}

void store_output(Worker& worker, const char* bytes, size_t size) {
  if (worker.end + worker.partial + size * 3 * 8 + 2 * sizeof(LineRecord) > k_store)
    compact(worker);
  while (size != 0) {
    const auto* newline = static_cast<const char*>(memchr(bytes, '\n', size));
    size_t part = newline != nullptr ? static_cast<size_t>(newline - bytes) : size;
    size_t room = wire::k_max_line - worker.partial;
    size_t kept = part < room ? part : room;
    if (kept < part) worker.partial_truncated = true;
    memcpy(worker.store + worker.end + sizeof(LineRecord) + worker.partial, bytes, kept);
    worker.partial += kept;
    bytes += part;
    size -= part;
    if (newline == nullptr) return;
    end_line(worker);
    ++bytes;
    --size;
  }
}

void finish_output(Worker& worker) {
  if (worker.partial != 0) end_line(worker);
}

void acknowledge_lines(Worker& worker, uint64_t sequence) {
  while (worker.head < worker.to_send) {  // what was never sent cannot be acknowledged
    const LineRecord& record = record_at(worker, worker.head);
    if (record.sequence > sequence) break;
    worker.head += sizeof(LineRecord) + padded(record.size);
  }
  if (worker.head == worker.end) compact(worker);
}

void send_again(Worker& worker) {
  worker.to_send = worker.head;
  worker.sent_of_it = 0;
}

}  // namespace fabric::init
