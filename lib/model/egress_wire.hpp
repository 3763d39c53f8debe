// SPDX-License-Identifier: Apache-2.0
// What the egress process says to the two it works with. C headers only: fabric-init includes it.
//
// 1. With the init of a sandbox: the link, a SOCK_SEQPACKET pair, one LinkPacket a packet. The init
// never speaks unasked; every request but CLOSE is answered, in order. Both sides treat the other
// as hostile: fixed sizes, no waiting for it, unknown operations end the link.
//   egress to init             init to egress
//   REPLAY                     LISTENER of everything it listens on, with the descriptor and the
//                              note that came with its LISTEN; then REPLAYED
//   LISTEN id, listen, note    LISTENER id, with the descriptor (not blocking), or error
//   CLOSE id                   -
//   CONNECT id, listen         CONNECTED id, with a socket whose connect() has begun (not
//                              blocking), or error; to a port of the sandbox's own loopback
// The first thing the egress process does with a link is REPLAY: what it gets then is what the init
// made at birth (ids below k_first_link_id) and, after a restart, what was asked for before. At the
// end of the link the init keeps all listeners (their backlog holds connections) and waits for
// another link.
//
// Inside, with egress: lo has local routes for k_fake_network4 and k_fake_network6 (an address of
// these is local without being configured; a listener on an IPv6 one needs k_listen_free), and for
// the networks of rules that name addresses. Everything else is prohibited (EACCES at once).
// Ports below 1024 need no privilege. At birth there are the four listeners of LinkIds.
//
// 2. With the supervisor: a SOCK_SEQPACKET socket on which the egress process listens
// (.fabric/run/egress.sock), one JSON object a packet of at most k_egress_max_packet bytes. A newer
// connection replaces the older one. The supervisor starts it, without a shell, as
//   fabric-egress --owner UID [--user UID] [--hosts FILE] [--authorities FILE] [--private]
// with the listening socket as descriptor 3 and a log as descriptor 2. --owner: the uid that
// SO_PEERCRED of a supervisor must have. --user (only as root): the uid and gid that it becomes,
// with no capability left. --hosts: a file as /etc/hosts is, asked before DNS. --authorities: whom
// injections trust in place of the machine's authorities. Without a sandbox
// and without a supervisor for a minute it ends by itself. --private: it is for one command
// (isolation/one_shot_egress.hpp); descriptor 3 is a connection, and it ends with that. After
// "shutdown" it ends when what the sandbox sent last has been passed on, or after five seconds.
//   e: {"type":"hello","version":1,"pid":N,"sandboxes":[{"sandbox":S,"generation":N}...]}
//      first on every connection, followed by all refusals and usages that were not acknowledged
//   s: {"type":"attach","sandbox":S,"generation":N,"agent":NAME,"rules":[TEXT...],
//       "publish":[{"rule":TEXT,"fd":I}...],"inject":[{"rule":TEXT,"fd":I}...],
//       "rate":BYTES_PER_SECOND,"connections":N}
//      with descriptors: the link is descriptor 0; "fd" is the index of the others: a listening
//      socket on the host for publish, a file with the secret for inject (read from offset 0).
//      The same sandbox attached again replaces what there was (new link after a restart of ours).
//   s: {"type":"rules","sandbox":S,"rules":[TEXT...]}   flows that no longer match are cut
//   s: {"type":"detach","sandbox":S}                    all of it is closed
//   s: {"type":"ack","sequence":N}                      all up to N may be forgotten
//   s: {"type":"shutdown"}                              when no sandbox is left
//   e: {"type":"attached","sandbox":S,"generation":N}
//   e: {"type":"failed","sandbox":S,"generation":N,"message":TEXT}     in place of attached
//   e: {"type":"refused","sequence":N,"sandbox":S,"at":UNIX_MICROSECONDS,"kind":KIND,"host":TEXT,
//       "address":TEXT,"port":N,"rule":TEXT,"allow":TEXT,"why":TEXT,"count":N}
//      kind: name (the resolver), connect (also CONNECT and SOCKS), sni, host_header, address (the
//      name resolves to what is not allowed), rate, publish. rule: the rule that decided, "" where
//      none matched. allow: the rule that would allow it, "" where none can. Equal ones within a
//      second are counted.
//   e: {"type":"usage","sequence":N,"sandbox":S,"host":TEXT,"in":BYTES,"out":BYTES,
//       "connections":N}   added since the last one, at most every second
#pragma once

#include <stdint.h>

namespace fabric::wire {

constexpr uint32_t k_egress_version = 1;
constexpr uint32_t k_egress_max_packet = 128U << 10;
constexpr uint32_t k_egress_max_descriptors = 64;  // with one packet
constexpr int k_egress_listen_fd = 3;

constexpr uint32_t k_max_link_note = 256;
constexpr uint32_t k_max_link_listeners = 4096;
constexpr int k_link_backlog = 4096;

// Addresses that stand for names. RFC 2544 and RFC 4193 space: never routed, never an agent's own.
constexpr uint8_t k_fake_network4[4] = {198, 18, 0, 0};
constexpr uint32_t k_fake_prefix4 = 15;
constexpr uint8_t k_fake_network6[16] = {0xfd, 0xfa, 0xb2, 0x1c};
constexpr uint32_t k_fake_prefix6 = 64;

// What lo has beside the loopback addresses; no name gets them.
constexpr uint8_t k_own_address4[4] = {198, 18, 0, 1};
constexpr uint8_t k_own_address6[16] = {0xfd, 0xfa, 0xb2, 0x1c, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1};

constexpr uint8_t k_resolver_address[4] = {127, 0, 0, 53};
constexpr uint16_t k_resolver_port = 53;
constexpr uint16_t k_http_proxy_port = 3128;  // on 127.0.0.1: CONNECT, and plain HTTP by proxy
constexpr uint16_t k_socks_port = 1080;       // on 127.0.0.1: SOCKS5

// Listeners that the init makes at birth.
enum LinkIds : uint32_t {
  k_link_resolver_udp = 1,
  k_link_resolver_tcp = 2,
  k_link_http_proxy = 3,
  k_link_socks = 4,
  k_first_link_id = 16,  // the first one of the egress process's choice
};

enum LinkOp : uint16_t {
  k_link_replay = 1,
  k_link_listen,
  k_link_close,
  k_link_connect,
  k_link_listener = 32,
  k_link_replayed,
  k_link_connected,
};

enum ListenFlags : uint16_t {
  k_listen_free = 1,  // IP_FREEBIND, IPV6_FREEBIND
};
struct ListenAt {
  uint16_t family;  // AF_INET, AF_INET6
  uint16_t type;    // SOCK_STREAM, SOCK_DGRAM (only of those made at birth)
  uint16_t port;    // host byte order
  uint16_t flags;
  uint8_t address[16];  // network byte order; AF_INET: the first four
};
static_assert(sizeof(ListenAt) == 24);

struct LinkPacket {
  uint16_t op;
  uint16_t reserved;
  uint32_t id;
  int32_t error;  // of answers: errno, 0 when the descriptor came with it
  ListenAt listen;
  char note[k_max_link_note];  // kept by the init and given back by REPLAY; NUL-terminated
};
static_assert(sizeof(LinkPacket) == 292);

}  // namespace fabric::wire
