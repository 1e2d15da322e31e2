/* Pressure stall information: the share of time in which tasks waited for a resource.
 * /proc/pressure/{cpu,memory,io}, and <cgroup>/{cpu,memory,io}.pressure.
 *
 * Since: 4.20, when built with CONFIG_PSI and not switched off (psi=0); the files
 * then fail with EOPNOTSUPP. `full` of cpu exists since 5.13 and is 0 at host level.
 * Privilege: none. Cost: three small files.
 * Units: total is in us in the kernel, ns here. avg10 and so on are left aside: they
 * lag by design; differences of `total` are exact.
 * Source: Documentation/accounting/psi.rst. */
#ifndef OSPREY_SOURCE_CPU_PSI_H
#define OSPREY_SOURCE_CPU_PSI_H

#include "base/reading.h"
#include "kernel/host.h"

struct psi_line {
	reading some_ns; /* at least one task waited */
	reading full_ns; /* all non-idle tasks waited */
};

struct psi {
	enum presence presence; /* of the best of the three */
	struct psi_line cpu, memory, io;
};

void psi_line_parse(struct span text, struct psi_line *ret);
/* One pressure file; its absence is in the readings. */
void psi_line_read(struct host *h, const char *path, struct buf *scratch, struct psi_line *ret);
/* The host's three. */
void psi_read(struct host *h, struct buf *scratch, struct psi *ret);

#endif
