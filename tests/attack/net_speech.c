/* SPDX-License-Identifier: Apache-2.0
 * Connected to a host that is listed, it speaks to another one: names in HTTP and TLS that are not
 * what was connected to. Needs the agent `egress`, as net_egress.c. */
#include <sys/socket.h>

#include "speech.h"

static unsigned char* put(unsigned char* at, unsigned value, int bytes) {
  while (bytes-- > 0) *at++ = (unsigned char)(value >> (8 * bytes));
  return at;
}
/* The length of what is behind it, in the `bytes` before `begin`. */
static void length_before(unsigned char* begin, unsigned char* end, int bytes) {
  put(begin - bytes, (unsigned)(end - begin), bytes);
}

static unsigned char* put_names(unsigned char* at, const char* const* names, size_t first_size) {
  at = put(at, 0, 2); /* server_name */
  unsigned char *extension = at + 2, *list = extension + 2;
  at = list;
  for (int i = 0; i < 2 && names[i]; ++i) {
    size_t size = i == 0 && first_size ? first_size : strlen(names[i]);
    at = put(put(at, 0, 1), (unsigned)size, 2);
    memcpy(at, names[i], size);
    at += size;
  }
  length_before(list, at, 2);
  length_before(extension, at, 2);
  return at;
}

size_t write_hello(unsigned char* out, const struct hello* hello) {
  unsigned char whole[800], *at = whole;
  at = put(at, 1, 1) + 3; /* client_hello, and its length */
  unsigned char* body = at;
  at = put(at, 0x0303, 2);
  memset(at, 0x5a, 32);
  at = put(at + 32, 0, 1);                /* no session */
  at = put(put(at, 4, 2), 0x1301c02f, 4); /* cipher suites */
  at = put(put(at, 1, 1), 0, 1) + 2;      /* no compression; extensions */
  unsigned char* extensions = at;
  if (hello->names[0]) at = put_names(at, hello->names, hello->name_size);
  if (hello->second_list) at = put_names(at, (const char* [2]){hello->second_list, NULL}, 0);
  size_t size = strlen(hello->protocol);
  at = put(put(put(put(at, 16, 2), (unsigned)size + 3, 2), (unsigned)size + 1, 2), (unsigned)size,
           1);
  memcpy(at, hello->protocol, size);
  at += size;
  at = put(put(put(put(at, 43, 2), 3, 2), 2, 1), 0x0304, 2); /* supported_versions */
  length_before(extensions, at, 2);
  length_before(body, at, 3);
  const size_t total = (size_t)(at - whole), record = hello->record ? hello->record : total;
  unsigned char* to = out;
  for (size_t done = 0; done < total; done += record) {
    const size_t part = total - done < record ? total - done : record;
    to = put(put(put(to, 22, 1), 0x0301, 2), (unsigned)part, 2);
    memcpy(to, whole + done, part);
    to += part;
  }
  return (size_t)(to - out);
}

/* A request for a listed host that names another one. */
static enum state other_host(long which) {
  static const char* const requests[] = {
      "%s GET / HTTP/1.1\r\nHost: other.attacked.test\r\n\r\n",
      "GET http://other.attacked.test/%s HTTP/1.1\r\nHost: listed.attacked.test\r\n\r\n",
      "GET /%s HTTP/1.1\r\nHost: listed.attacked.test\r\nHost: other.attacked.test\r\n\r\n",
      "GET /%s HTTP/1.1\r\nHost:\tother.attacked.test\r\n\r\n",
      "GET /%s HTTP/1.1\r\nHost: listed.attacked.test@other.attacked.test\r\n\r\n",
      "GET /control HTTP/1.1\r\nHost: listed.attacked.test\r\n\r\n"
      "GET /%s HTTP/1.1\r\nHost: other.attacked.test\r\n\r\n",
      "POST /control HTTP/1.1\r\nHost: listed.attacked.test\r\nContent-Length: 4\r\n"
      "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
      "GET /%s HTTP/1.1\r\nHost: other.attacked.test\r\n\r\n",
      "GET /%s HTTP/1.1\r\nHost : other.attacked.test\r\nHost: listed.attacked.test\r\n\r\n",
      "GET /%s HTTP/1.1\r\nHost: listed.attacked.test\r\n .other.attacked.test\r\n\r\n",
      "GET /%s HTTP/1.1\nHost: other.attacked.test\n\n",
      "CONNECT other.attacked.test:80 HTTP/1.1\r\nHost: listed.attacked.test\r\n\r\n%s",
      "GET /%s HTTP/1.1\r\nhOsT: other.attacked.test\r\n\r\n",
      "GET /%s HTTP/1.1\r\nHost: listed.attacked.test, other.attacked.test\r\n\r\n",
      "POST /control HTTP/1.1\r\nHost: listed.attacked.test\r\nContent-Length: 0\r\n"
      "Content-Length: 90\r\n\r\nGET /%s HTTP/1.1\r\nHost: other.attacked.test\r\n\r\n",
      "GET /%s HTTP/1.1\r\nHost: other.attacked.test\r\n"
      "X-Forwarded-Host: listed.attacked.test\r\n\r\n",
      "GET //other.attacked.test/%s HTTP/1.1\r\nHost: other.attacked.test:80\r\n\r\n",
      "GET /%s HTTP/1.1\r\nHost: listed.attacked.test.other.attacked.test\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n%s"};
  char text[600];
  int size = snprintf(text, sizeof text, requests[which], current->name);
  return exchange_text(connect_name("listed.attacked.test", "80"), text, (size_t)size);
}

static enum state other_server(long which) {
  static const char listed[] = "listed.attacked.test", other[] = "other.attacked.test";
  struct hello hello = {.names = {other}, .protocol = current->name};
  const char *host = listed, *port = "443";
  unsigned char text[2048];
  bool in_bytes = false;
  switch (which) {
    case 0:
      break;
    case 1:
      hello.names[0] = listed, hello.names[1] = other;
      break;
    case 2:
      hello.names[0] = listed, hello.second_list = other;
      break;
    case 3:
      hello.names[0] = "listed.attacked.test\0.other.attacked.test", hello.name_size = 41;
      break;
    case 4:
      hello.record = 40;
      break;
    case 5:
      in_bytes = true;
      break;
    case 6:
      host = "a.wild.attacked.test", hello.names[0] = "wild.attacked.test";
      break;
    case 7:
      host = "a.wild.attacked.test", hello.names[0] = "b.wild.attacked.test";
      break;
    case 8:
      port = "80";
      break;
    case 9:
      hello.names[0] = "listed.attacked.test.other.attacked.test";
      break;
    default:
      hello.names[0] = "127.0.0.1";
      break;
  }
  size_t size = write_hello(text, &hello);
  int fd = connect_name(host, port);
  if (in_bytes && fd >= 0) {
    size_t i = 0;
    while (i + 1 < size && send(fd, text + i, 1, MSG_NOSIGNAL) == 1) ++i;
    return exchange_text(fd, text + i, size - i);
  }
  return exchange_text(fd, text, size);
}

static enum state on_tls_port(long which) {
  static const char* const texts[] = {"GET /%s HTTP/1.1\r\nHost: other.attacked.test\r\n\r\n",
                                      "SSH-2.0-%s\r\n", "\x80\x2e\x01\x03\x01%s"};
  char text[300];
  int size = snprintf(text, sizeof text, texts[which], current->name);
  return exchange_text(connect_name("listed.attacked.test", "443"), text, (size_t)size);
}

#define HOST(name, index, what) \
  { name, what, other_host, index, EGRESS, 0 }
#define SERVER(name, index, what) \
  { name, what, other_server, index, EGRESS, 0 }
static const struct probe table[] = {
    HOST("net-http-not-http", 0, "text that is not HTTP on port 80"),
    HOST("net-http-absolute", 1, "an absolute form that names another host"),
    HOST("net-http-two-hosts", 2, "two Host headers"),
    HOST("net-http-tab", 3, "another Host behind a tab"),
    HOST("net-http-userinfo", 4, "Host: listed@other"),
    HOST("net-http-second", 5, "a second request for another host on the same connection"),
    HOST("net-http-smuggle", 6, "a request hidden behind two kinds of length"),
    HOST("net-http-space", 7, "a space before the colon of Host"),
    HOST("net-http-folded", 8, "a Host that goes on in the next line"),
    HOST("net-http-line-feeds", 9, "another Host in lines without carriage return"),
    HOST("net-http-connect", 10, "CONNECT to another host through a listed one"),
    HOST("net-http-case", 11, "another Host in mixed case"),
    HOST("net-http-list", 12, "Host: listed, other"),
    HOST("net-http-lengths", 13, "a request hidden behind two lengths"),
    HOST("net-http-forwarded", 14, "another Host, and the listed one in X-Forwarded-Host"),
    HOST("net-http-slashes", 15, "another Host, with a port"),
    HOST("net-http-suffix", 16, "a Host that begins like the listed one"),
    HOST("net-http-2", 17, "HTTP/2 without TLS"),
    SERVER("net-tls-other", 0, "TLS for another name"),
    SERVER("net-tls-two-names", 1, "TLS for two names"),
    SERVER("net-tls-two-lists", 2, "TLS with two lists of names"),
    SERVER("net-tls-nul", 3, "TLS for a name with a NUL in it"),
    SERVER("net-tls-records", 4, "TLS for another name, in many records"),
    SERVER("net-tls-bytes", 5, "TLS for another name, byte by byte"),
    SERVER("net-tls-apex", 6, "TLS for the apex of the wildcard it is connected to"),
    SERVER("net-tls-neighbour", 7, "TLS for another name below the wildcard"),
    SERVER("net-tls-on-80", 8, "TLS for another name on port 80"),
    SERVER("net-tls-suffix", 9, "TLS for a name that begins like the listed one"),
    SERVER("net-tls-address", 10, "TLS for an address as a name"),
    {"net-tls-plain-http", "HTTP for another host on port 443", on_tls_port, 0, EGRESS, 0},
    {"net-tls-ssh", "SSH on port 443", on_tls_port, 1, EGRESS, 0},
    {"net-tls-old", "the ClientHello of SSL 2 on port 443", on_tls_port, 2, EGRESS, 0},
};
PROBES(net_speech, table);
