/* What main changes of the process for osprey's own sake, and who starts programs must put back. */
#ifndef OSPREY_CMD_INHERITED_H
#define OSPREY_CMD_INHERITED_H

#include <stdbool.h>
#include <sys/resource.h>

struct inherited {
	bool closed[3];	   /* descriptors 0, 1, 2 were not open: /dev/null stands there now */
	bool ignored_pipe; /* SIGPIPE was ignored before, too */
	bool has_nofile;   /* the soft limit was raised; it was this */
	struct rlimit nofile;
};

extern struct inherited inherited; /* of command_main */

/* In a child, before exec. The mask of signals is the caller's matter. */
void inherited_restore(void);

#endif
