/* Probes at the functions of an allocator, of one process.
 *
 * With a session (Linux 6.13, BPF_TRACE_UPROBE_SESSION) one link a program and file serves all places, and the kernel
 * returns to the probe only where the program asks for it. Before, perf events: links for many places are
 * older (6.6), but until 6.10 they see the first thread alone. All hangs on descriptors: when these close,
 * nothing is left. Privilege: CAP_BPF and CAP_PERFMON. */
#ifndef OSPREY_DIG_LEAK_LEAK_ATTACH_H
#define OSPREY_DIG_LEAK_LEAK_ATTACH_H

#include "dig/leak/leak_allocator.h"
#include "dig/probe/attach.h"

#define LEAK_UPROBE_SESSION 57 /* BPF_TRACE_UPROBE_SESSION */

/* Whether there are sessions. Asked once of the kernel by making a link that cannot be. */
bool leak_session_there(void);

struct leak_programs {
	int entry[LEAK_CALLS]; /* by the form of the call */
	int at_return;	       /* without a session */
	bool session;
};
/* Frees first, so that none is missed of what is sampled. Adds what must stay open to *ret. -errno with the note. */
int leak_attach(const struct leak_programs *programs, const struct leak_allocator *l, int pid, fd_vec *ret,
		struct note *note) __attribute__((warn_unused_result));

#endif
