/* The operand PID|CORE of the commands that show stacks: a process by its number, or a core file by its path. */
#ifndef OSPREY_CMD_PID_OR_CORE_H
#define OSPREY_CMD_PID_OR_CORE_H

#include <stdbool.h>

#include "base/note.h"
#include "dig/stack/stack.h"

/* False: it is neither, which is a mistake of the one who typed it, and `command` has said so. What may be a file, but cannot be
 * opened, is for pid_or_core_take to tell. */
bool pid_or_core_makes_sense(const char *command, const char *operand);

/* The stacks of either; `executable` (NULL: where the core file says) and the wish are for the one that they concern. As
 * process_stacks_take and process_stacks_of_core. */
int pid_or_core_take(struct host *h, struct image_store *store, const char *operand, const char *executable,
		     const struct stack_wish *wish, struct process_stacks **ret, struct note *note)
	__attribute__((warn_unused_result));

#endif
