/* Every protocol counter of a network namespace by its own name: /proc/net/snmp, netstat and snmp6; what
 * nstat and netstat -s print. (net_counters.h picks those that rules need.)
 *
 * Privilege: none. Cost: three files, ~400 counters, ~120 us. The kernel adds counters with most
 * releases, so their names are taken as they come. Format: RFC 1213 and its kin; pairs of lines
 * "Tcp: name…" / "Tcp: value…", and of snmp6 lines "Ip6InReceives 12". */
#ifndef OSPREY_SOURCE_NETWORK_MIB_H
#define OSPREY_SOURCE_NETWORK_MIB_H

#include <stdbool.h>

#include "base/reading.h"
#include "base/vec.h"
#include "kernel/host.h"

struct mib_counter {
	char name[48]; /* "TcpExt.ListenOverflows", "Ip6InReceives" */
	reading value; /* malformed: negative, or no number */
	bool is_gauge; /* a setting or a level, which does not only grow */
};

struct mib {
	VEC(struct mib_counter) counters; /* in the kernel's order */
	VEC(uint32_t) by_name;
	enum presence presence; /* of snmp */
};

void mib_deinit(struct mib *m);
/* Of the namespace of `pid`; 0: our own. -ENOMEM alone; what cannot be read is not there. */
int mib_read(struct host *h, int pid, struct buf *scratch, struct mib *ret) __attribute__((warn_unused_result));
/* ABSENT: the kernel has no counter of that name. */
reading mib_get(const struct mib *m, const char *name);
/* Growth of one counter; `before` NULL: since boot. */
reading mib_growth(const struct mib *before, const struct mib *now, const char *name);

/* Appends; -ENOMEM. mib_index puts in order what mib_get looks through. */
int mib_parse(struct span text, struct mib *ret) __attribute__((warn_unused_result));
int mib_parse_snmp6(struct span text, struct mib *ret) __attribute__((warn_unused_result));
int mib_index(struct mib *m) __attribute__((warn_unused_result));

#endif
