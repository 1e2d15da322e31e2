/* The errands of `osprey tune` that look at the journal of changes and not at the host. They print, and return an
 * exit code. */
#ifndef OSPREY_CMD_TUNE_H
#define OSPREY_CMD_TUNE_H

#include <stdbool.h>

struct tune_errand {
	bool dry_run, force, no_color;
};

/* `which`: the number of a change, or "all". */
int tune_take_back(const char *which, const struct tune_errand *e);
/* What tune set and is still in force. */
int tune_list_changes(const struct tune_errand *e);

#endif
