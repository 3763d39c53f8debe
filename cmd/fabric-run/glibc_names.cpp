// SPDX-License-Identifier: Apache-2.0
// The compiler's C++ library and our archives were built with glibc's headers; with them musl
// shares the ABI of x86-64 but for these names. What no name shows: streams, locales and their
// character classes read the insides of glibc's locale_t, so nothing that this program runs may use
// them.
#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" {

// One thread; the C++ library may count references without atomics.
extern const char __libc_single_threaded;
const char __libc_single_threaded = 1;

// Not found: the unwinder asks dl_iterate_phdr(3) then.
int _dl_find_object(void*, void*);
int _dl_find_object(void*, void*) { return -1; }

// glibc's headers declare the one that returns a string; musl's returns a number.
char* strerror_r(int number, char*, size_t) noexcept { return std::strerror(number); }

// The entries that musl keeps by itself serve as well: there is one thread.
int fgetpwent_r(FILE* file, struct passwd* entry, char*, size_t, struct passwd** result) {
  const struct passwd* next = ::fgetpwent(file);
  *result = nullptr;
  if (next == nullptr) return ENOENT;
  *entry = *next;
  *result = entry;
  return 0;
}

int fgetgrent_r(FILE* file, struct group* entry, char*, size_t, struct group** result) {
  const struct group* next = ::fgetgrent(file);
  *result = nullptr;
  if (next == nullptr) return ENOENT;
  *entry = *next;
  *result = entry;
  return 0;
}

// The numbers of a device, which musl has as macros only: the same bits.
unsigned gnu_dev_major(unsigned long long device);
unsigned gnu_dev_major(unsigned long long device) {
  return static_cast<unsigned>((device >> 32 & 0xfffff000) | (device >> 8 & 0xfff));
}
unsigned gnu_dev_minor(unsigned long long device);
unsigned gnu_dev_minor(unsigned long long device) {
  return static_cast<unsigned>((device >> 12 & 0xffffff00) | (device & 0xff));
}

// Of libseccomp's printing of filters, which is never called.
int __fprintf_chk(FILE*, int, const char*, ...);
int __fprintf_chk(FILE*, int, const char*, ...) { std::abort(); }
}
