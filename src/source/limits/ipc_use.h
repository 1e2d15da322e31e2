/* What of System V IPC, kernel keys, TCP memory and neighbour caches is in use. Pure parsers of
 * /proc/sysvipc/{shm,sem,msg}, /proc/key-users, /proc/net/sockstat, /proc/net/stat/arp_cache, of
 * /proc/net/tcp for the local ports. Since: 2.6 (keys 2.6.13). Privilege: none; IPC objects are those of our
 * own ipc namespace. Formats: proc_sysvipc(5), proc_key-users(5), net/ipv4/proc.c. */
#ifndef OSPREY_SOURCE_LIMITS_IPC_USE_H
#define OSPREY_SOURCE_LIMITS_IPC_USE_H

#include <stdbool.h>

#include "base/reading.h"
#include "base/span.h"
#include "base/vec.h"

struct sysv_use {
	reading objects; /* segments, semaphore arrays, queues */
	reading bytes;	 /* of segments; of messages that wait */
	reading semaphores;
};
enum sysv_kind { SYSV_SHM, SYSV_SEM, SYSV_MSG };
/* Without a header line: malformed. */
void sysv_use_parse(struct span text, enum sysv_kind kind, struct sysv_use *ret);

struct key_user {
	uint32_t uid;
	reading keys, keys_limit, bytes, bytes_limit;
};
typedef VEC(struct key_user) key_user_vec;
/* 0 or -ENOMEM; lines that are none are passed over. */
int key_users_parse(struct span text, key_user_vec *ret) __attribute__((warn_unused_result));

struct socket_stat {
	reading tcp_in_use, tcp_orphans, tcp_time_wait, tcp_memory_pages, udp_memory_pages;
};
void socket_stat_parse(struct span text, struct socket_stat *ret);

/* Entries of a neighbour cache: the first column, hexadecimal, the same on each line. */
reading neighbor_entries_parse(struct span text);

/* Local ports of `low` to `high` in use towards one peer: the peer (address and port) that most connections
 * of /proc/net/tcp or tcp6 go to. */
struct port_use {
	char peer[64];
	reading ports;
};
int port_use_parse(struct span tcp, struct span tcp6, unsigned low, unsigned high, struct port_use *ret)
	__attribute__((warn_unused_result));

/* The i-th number of a file of numbers: "4096 87380 6291456". */
reading nth_number(struct span text, unsigned i);

#endif
