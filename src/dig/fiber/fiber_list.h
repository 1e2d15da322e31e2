/* Every fiber of a process, live or in a core file, without stopping it.
 *
 * Read: the tables of fibers and the stacks of those that do not run, by process_vm_readv in batches (fiber_batch.h), two of them ahead;
 * a stack like one before is not walked again (fiber_walk.h). Equal stacks are kept once. Threads and processors are read before and
 * after. Any bytes are taken: a damaged or hostile process gives fewer fibers, or -EBADMSG, and costs bounded time and memory.
 *
 * Privilege: the same user or CAP_SYS_PTRACE. Kernel: 3.2. Cost: ~1 us a fiber, most of it the kernel's, and ~100 ns for each frame of a
 * stack that is unlike those before; ~60 bytes a fiber. x86-64 (fibers of other machines go without stacks). */
#ifndef OSPREY_DIG_FIBER_FIBER_LIST_H
#define OSPREY_DIG_FIBER_FIBER_LIST_H

#include "base/map.h"
#include "dig/fiber/fiber_batch.h"
#include "dig/unwind/unwind.h"

#define FIBER_FRAMES_MAX 256

/* Who made fibers, where, and what they began with: one for all that are alike in it. */
struct fiber_origin {
	uint64_t creator; /* id; 0: what started the run */
	uint64_t function, created_at; /* entry; return address of the call that made them */
	uint32_t name; /* in `names`; 0: they have none */
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

/* Of a fiber that a thread was seen to run. */
struct fiber_running {
	uint64_t id;
	uint64_t stack_low, stack_high;
	uint32_t thread; /* in `threads` */
};

struct fiber_list {
	const struct fiber_root *root;
	VEC(struct fiber_row) fiber; /* by id */
	size_t by_standing[INSPECT_ENDED + 1];
	size_t by_wait[FIBER_WAITS_MAX];
	size_t cold;
	VEC(struct fiber_origin) origin;
	VEC(struct fiber_running) running;
	struct map running_of; /* by id */
	VEC(struct fiber_stack) stack;
	VEC(struct unwind_frame) frame;
	VEC(struct fiber_thread) threads;
	struct buf names; /* NUL-terminated; at 0 the empty one */
	uint64_t processors, timers, alive;
	size_t torn;
	size_t gone;   /* they ended while they were read */
	size_t unread; /* parts of tables that could not be read, in fibers */
	bool of_core;
	bool own_clock; /* ages count to when the runtime last looked at its clock: of a core, and where ours is another */
	uint64_t grain_ns;
};

struct fiber_list_wish {
	int64_t clock_ahead_ns; /* the CLOCK_MONOTONIC of a live process beside ours: in time namespaces they differ */
	bool no_clock;		/* it is not known: ages count as those of a core do */
	/* How many were read; may be NULL. */
	void (*progress)(void *arg, size_t done, size_t all);
	void *arg;
};

/* `root` and `a` must outlive it. `wish` may be NULL. 0, -ENOMEM. */
int fiber_list_read(struct address_space *a, const struct fiber_root *root, const struct fiber_list_wish *wish,
		    struct fiber_list *ret) __attribute__((warn_unused_result));
void fiber_list_deinit(struct fiber_list *l);

const char *fiber_name(const struct fiber_list *l, const struct fiber_row *f);
/* "waiting", "ready"; "?" */
const char *fiber_state_words(const struct fiber_list *l, const struct fiber_row *f);
/* Of one that waits, else NULL. */
const struct inspect_wait *fiber_wait_of(const struct fiber_list *l, const struct fiber_row *f);
/* NULL: there is none of that id. */
const struct fiber_row *fiber_by_id(const struct fiber_list *l, uint64_t id);
/* NULL: no thread was seen to run it. */
const struct fiber_running *fiber_running_of(const struct fiber_list *l, const struct fiber_row *f);
const struct fiber_origin *fiber_origin_of(const struct fiber_list *l, const struct fiber_row *f);
/* A stack is kept, as it is. -ENOMEM. */
int fiber_stack_keep(struct fiber_list *l, const struct unwind_frame *frames, size_t n, enum unwind_end end, uint32_t *ret)
	__attribute__((warn_unused_result));

#endif
