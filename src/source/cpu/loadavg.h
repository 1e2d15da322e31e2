/* /proc/loadavg. Load counts tasks that run, wait for a CPU, or sleep in D state: it
 * alone is evidence of nothing. Since: always. Privilege: none. */
#ifndef OSPREY_SOURCE_CPU_LOADAVG_H
#define OSPREY_SOURCE_CPU_LOADAVG_H

#include "base/reading.h"
#include "kernel/host.h"

struct loadavg {
	enum presence presence;
	reading load1_milli, load5_milli, load15_milli; /* thousandths */
	reading runnable;  /* tasks running or waiting for a CPU now */
	reading tasks;	   /* tasks that exist */
	reading last_pid;  /* the newest pid of our pid namespace */
};

void loadavg_parse(struct span text, struct loadavg *ret);
void loadavg_read(struct host *h, struct buf *scratch, struct loadavg *ret);

#endif
