// SPDX-License-Identifier: Apache-2.0
// malloc(3) and what copies memory, for a program that prepares something in a millisecond and then
// waits for its end: memory comes out of one piece after the other, what is freed waits for the
// next of its size, and nothing goes back to the kernel. musl's own gives pages back at once and
// asks for them again, which took a fifth of the preparation. One thread. musl's memcpy(3) is the
// processor's string instruction, whose start costs more than the few bytes that are mostly copied.
#include <sys/mman.h>

#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

constexpr size_t k_align = 16;
constexpr size_t k_touched = size_t{64} << 10;  // beforehand: one call instead of 16 faults
constexpr size_t k_piece = size_t{1} << 20;
constexpr size_t k_classes = 48;              // sizes are powers of two
constexpr size_t k_large = size_t{16} << 10;  // taken from the other end: mostly not touched whole

struct Header {  // before what was given out
  size_t size;
  Header* free;  // the next of this size
};
static_assert(sizeof(Header) == k_align);

char* next;
char* end;
Header* freed[k_classes];

size_t class_of(size_t size) { return static_cast<size_t>(std::bit_width(size - 1)); }

bool more(size_t wanted) {
  const size_t size = wanted < k_piece / 2 ? k_piece : (wanted + k_piece) / 4096 * 4096;
  void* piece = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (piece == MAP_FAILED) return false;
  if (next == nullptr) ::madvise(piece, k_touched, MADV_POPULATE_WRITE);
  next = static_cast<char*>(piece);
  end = next + size;
  return true;
}

Header* header_of(void* memory) { return static_cast<Header*>(memory) - 1; }

void* cut(size_t size, size_t align) {
  for (;;) {
    if (size >= k_large && align == k_align && next != nullptr &&
        size + sizeof(Header) <= static_cast<size_t>(end - next)) {
      end -= size + sizeof(Header);
      reinterpret_cast<Header*>(end)->size = size;
      return end + sizeof(Header);
    }
    const uintptr_t at = reinterpret_cast<uintptr_t>(next) + sizeof(Header);
    const size_t gap = (align - at % align) % align;
    if (next != nullptr && size + gap + sizeof(Header) <= static_cast<size_t>(end - next)) {
      char* memory = next + gap + sizeof(Header);
      next = memory + size;
      header_of(memory)->size = size;
      return memory;
    }
    if (!more(size + align + sizeof(Header))) {
      errno = ENOMEM;
      return nullptr;
    }
  }
}

void* take(size_t size, size_t align) {
  if (size > size_t{1} << 40) {
    errno = ENOMEM;
    return nullptr;
  }
  size = std::bit_ceil(size < k_align ? k_align : size);
  Header*& first = freed[class_of(size)];
  if (first == nullptr || align > k_align) return cut(size, align);
  Header* const found = first;
  first = found->free;
  return found + 1;
}

using Word = uint64_t __attribute__((may_alias, aligned(1)));
using Wide = char __attribute__((vector_size(16), may_alias, aligned(1)));

template <class T>
inline void ends(char* to, const char* from, size_t size) {  // sizeof(T) <= size <= 2 * sizeof(T)
  const T first = *reinterpret_cast<const T*>(from);
  const T last = *reinterpret_cast<const T*>(from + size - sizeof(T));
  *reinterpret_cast<T*>(to) = first;
  *reinterpret_cast<T*>(to + size - sizeof(T)) = last;
}

}  // namespace

extern "C" {

void* malloc(size_t size) { return take(size, k_align); }

void free(void* memory) {
  if (memory == nullptr) return;
  Header* const header = header_of(memory);
  Header*& first = freed[class_of(header->size)];
  header->free = first;
  first = header;
}

void* calloc(size_t count, size_t size) {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  void* memory = take(bytes, k_align);
  return memory == nullptr ? nullptr : std::memset(memory, 0, bytes);
}

void* realloc(void* memory, size_t size) {
  if (memory == nullptr) return take(size, k_align);
  const size_t had = header_of(memory)->size;
  if (size <= had) return memory;
  void* larger = take(size, k_align);
  if (larger == nullptr) return nullptr;
  std::memcpy(larger, memory, had);
  free(memory);
  return larger;
}

void* aligned_alloc(size_t align, size_t size) {
  return take(size, align < k_align ? k_align : align);
}

void* memalign(size_t align, size_t size) { return aligned_alloc(align, size); }

int posix_memalign(void** memory, size_t align, size_t size) {
  *memory = aligned_alloc(align, size);
  return *memory == nullptr ? ENOMEM : 0;
}

// What is read before anything is written may overlap.
void* memmove(void* destination, const void* source, size_t size) {
  char* to = static_cast<char*>(destination);
  const char* from = static_cast<const char*>(source);
  if (size >= 16 && size <= 32) {
    ends<Wide>(to, from, size);
  } else if (size >= 8 && size < 16) {
    ends<Word>(to, from, size);
  } else if (size < 8 && (to <= from || to >= from + size)) {
    for (size_t i = 0; i < size; ++i) {
      to[i] = from[i];
      asm volatile("" : : : "memory");  // else the compiler makes a call of memmove of it
    }
  } else if (to <= from || to >= from + size) {
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
  } else {
    to += size - 1;
    from += size - 1;
    asm volatile("std\n\trep movsb\n\tcld" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
  }
  return destination;
}

void* memcpy(void* __restrict destination, const void* __restrict source, size_t size) {
  char* to = static_cast<char*>(destination);
  const char* from = static_cast<const char*>(source);
  if (size <= 32 || size > 1024) return memmove(destination, source, size);
  for (; size > 32; size -= 16, to += 16, from += 16)
    *reinterpret_cast<Wide*>(to) = *reinterpret_cast<const Wide*>(from);
  ends<Wide>(to, from, size);
  return destination;
}
}
