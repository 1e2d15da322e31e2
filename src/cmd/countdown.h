/* One line on the terminal that says how long a measurement still takes; nothing where nobody watches stderr. */
#ifndef OSPREY_CMD_COUNTDOWN_H
#define OSPREY_CMD_COUNTDOWN_H

#include <stdbool.h>
#include <stdint.h>

struct countdown {
	const char *what; /* "counting nginx (1234)" */
	uint64_t end_ns;  /* CLOCK_MONOTONIC; UINT64_MAX: until Ctrl-C */
	bool shown;
};

/* Writes the line anew. */
void countdown_show(struct countdown *c);
/* Takes it away. */
void countdown_clear(struct countdown *c);
/* Sleeps until `until_ns`, the line kept up to date. 0; -EINTR: a signal came. */
int countdown_sleep(struct countdown *c, uint64_t until_ns) __attribute__((warn_unused_result));

#endif
