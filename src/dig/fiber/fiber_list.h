/* Every fiber of a process, live or in a core file, without stopping it.
 *
 * Read: the tables of fibers in batches by process_vm_readv, the stacks of those that do not run, then each fiber again: what has run
 * meanwhile is `torn`, what had another id by then is left out. Equal stacks are kept once. Threads and processors are read before
 * and after. Any bytes are taken: a damaged or hostile process gives fewer fibers, or -EBADMSG, and costs bounded time and memory.
 *
 * Privilege: the same user or CAP_SYS_PTRACE. Kernel: 3.2. Cost: ~1 us a fiber, and ~100 ns for each frame of its stack; ~120 bytes
 * each. x86-64 (fibers of other machines go without stacks). */
#ifndef OSPREY_DIG_FIBER_FIBER_LIST_H
#define OSPREY_DIG_FIBER_FIBER_LIST_H

#include "base/reading.h"
#include "dig/fiber/fiber_root.h"
#include "dig/unwind/unwind.h"

#define FIBER_NO_STACK UINT32_MAX
#define FIBER_FRAMES_MAX 256

struct fiber_row {
	uint64_t id, creator; /* creator 0: what started the run */
	uint64_t address, object; /* object 0: none */
	uint64_t function, created_at; /* entry; return address of the call that made it */
	reading age_ns, state_ns; /* ABSENT: the root has no clock */
	uint64_t stack_low, stack_high;
	uint64_t sp;
	uint32_t turns; /* it was switched to so often; 0: it has not run yet */
	uint32_t name;	/* in `names`; 0: it has none */
	uint32_t stack; /* in `stack`, or FIBER_NO_STACK */
	int32_t thread; /* in `threads`: who runs it; -1: nobody */
	uint16_t wait;
	uint8_t state;
	uint8_t standing; /* enum inspect_standing */
	bool torn, cancelled;
};

struct fiber_stack {
	uint32_t first, nframes; /* in `frame` */
	enum unwind_end end;
};

struct fiber_thread {
	uint64_t address, running;
	uint64_t left; /* a fiber that is on its way off; 0: none */
	int tid; /* in its own pid namespace */
	int processor; /* -1: none */
	bool blocked;  /* in a call that was announced to block */
};

struct fiber_list {
	const struct fiber_root *root;
	VEC(struct fiber_row) fiber; /* by id */
	VEC(struct fiber_stack) stack;
	VEC(struct unwind_frame) frame;
	VEC(struct fiber_thread) threads;
	struct buf names; /* NUL-terminated; at 0 the empty one */
	uint64_t processors, timers, alive;
	size_t torn;
	size_t gone;   /* they ended while they were read */
	size_t unread; /* parts of tables that could not be read, in fibers */
	bool of_core;
	/* of a core: ages count to when the runtime last looked at its clock */
	uint64_t grain_ns;
};

/* `root` and `a` must outlive it. 0, -ENOMEM. */
int fiber_list_read(struct address_space *a, const struct fiber_root *root, struct fiber_list *ret)
	__attribute__((warn_unused_result));
void fiber_list_deinit(struct fiber_list *l);

const char *fiber_name(const struct fiber_list *l, const struct fiber_row *f);
/* "waiting", "ready"; "?" */
const char *fiber_state_words(const struct fiber_list *l, const struct fiber_row *f);
/* Of one that waits, else NULL. */
const struct inspect_wait *fiber_wait_of(const struct fiber_list *l, const struct fiber_row *f);
/* NULL: there is none of that id. */
const struct fiber_row *fiber_by_id(const struct fiber_list *l, uint64_t id);
/* A stack is kept, once. -ENOMEM. */
int fiber_stack_keep(struct fiber_list *l, const struct unwind_frame *frames, size_t n, enum unwind_end end, uint32_t *ret)
	__attribute__((warn_unused_result));

#endif
