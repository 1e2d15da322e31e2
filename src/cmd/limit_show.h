/* `osprey limit PROCESS…` without a change: what is limited, and how much of it is used. */
#ifndef OSPREY_CMD_LIMIT_SHOW_H
#define OSPREY_CMD_LIMIT_SHOW_H

#include "act/process_select.h"

/* Prints; the exit code. */
int limit_show(struct host *h, const process_vec *v, bool json, bool no_color);

#endif
