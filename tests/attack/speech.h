/* SPDX-License-Identifier: Apache-2.0
 * What programs say on the wire, right and wrong. */
#pragma once

#include "attack.h"

/* The first message of a TLS client (RFC 8446, 4.1.2; RFC 6066, 3). */
struct hello {
  const char* names[2];    /* in one list of server names; NULL: that many fewer */
  const char* second_list; /* in an extension of its own behind the first */
  const char* protocol;    /* ALPN, where the name of the probe can be read */
  size_t record;           /* bytes of each record; 0: all in one */
  size_t name_size;        /* of the first name, when it has a NUL in it */
};
size_t write_hello(unsigned char* out, const struct hello* hello);

int connect_name(const char* host, const char* port);
enum state exchange_text(int fd, const void* text, size_t size);
enum state exchange_as_usual(int fd, const char* host, const char* port);
