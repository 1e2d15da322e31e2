/* What a reader from outside of the process needs to see every fiber: of a live process, whose fibers run on
 * meanwhile, or of a core file.
 *
 * The program (or libospreyrt.so) has an ELF note in an allocated section, so it is in a PT_NOTE segment and
 * in memory, also when all symbols were stripped: name "osprey-rt", type INSPECT_NOTE_ROOT, description an
 * int64_t: the distance from the description's own first byte to the struct inspect_root. A root tells where
 * the runtime's tables lie and how they are laid out; all that depends on how the library was built is in it,
 * with the names of states and of what is waited for, so a reader serves libraries that are newer than
 * itself.
 *
 * Numbers are of the machine's byte order. A field is told by its offset in its structure and its size (1, 2,
 * 4 or 8 bytes); one of 0 bytes does not exist. Pointers are fields of 8 bytes. Texts in tables end in a NUL
 * and fill their room.
 *
 * Versions: a reader of version N refuses other versions. Within one, members are only added at the end of
 * the root (see `bytes`); strides of all else are told, so these structures too may grow.
 *
 * What a reader must stand: fibers run on. A fiber's number `turns` rises whenever it is switched to, before
 * it does anything; who reads id, turns, state and saved stack pointer before and after he read its stack,
 * and finds them equal, with a state that is not running, has seen one moment of it; but while it leaves its
 * thread, between its state and its stack pointer: then it is still in the thread's `running`, or in `left`,
 * and `leave` is not 0.
 * Pointers of threads lead to memory that is freed at the end of a run. Nothing here is checked against a
 * hostile process: the reader is to bound what it follows.
 *
 * Cost for the process: none but the stores of `since`, `turns`, `born` and `created_at`, below a nanosecond
 * each. */
#ifndef OSPREY_RT_INSPECT_H
#define OSPREY_RT_INSPECT_H

#include <stddef.h>
#include <stdint.h>

#define INSPECT_NOTE_NAME "osprey-rt"
#define INSPECT_NOTE_ROOT 1
#define INSPECT_MAGIC UINT64_C(0x746f6f7274727970) /* "pyrtroot" */
#define INSPECT_VERSION 1

struct inspect_field {
	uint32_t offset, bytes;
};

struct inspect_table {
	uint64_t address;
	uint32_t count, stride;
};

/* What becomes of a state's number. */
enum inspect_standing {
	INSPECT_FREE,		/* no fiber at present */
	INSPECT_READY,
	INSPECT_RUNNING,	/* its stack is the one of its thread */
	INSPECT_PARKED,
	INSPECT_ENDED,
};

struct inspect_state {
	char name[16];
	uint32_t standing;	/* enum inspect_standing */
};

/* What a number in an awaited object means. */
enum inspect_role {
	INSPECT_NUMBER = 1,
	INSPECT_FLAG,		/* not 0: the fact's name holds */
	INSPECT_FIBER,		/* id of the fiber that is waited for: it has the object or is joined; or 0 */
	INSPECT_FD,		/* a descriptor; -1: none */
};

struct inspect_fact {
	char name[16];
	uint64_t mask;		/* of the bits that count */
	struct inspect_field field;	/* in the object */
	uint32_t role;		/* enum inspect_role */
	uint32_t unused;
};

/* What wakes those who wait so, for who asks whether anybody will. */
enum inspect_waker {
	INSPECT_BY_FIBER,	/* another fiber alone, or its own deadline (see processor_timers) */
	INSPECT_BY_TIME,
	INSPECT_BY_OUTSIDE,	/* the kernel (a descriptor becomes ready), or a thread that runs no fibers */
};

#define INSPECT_FACTS 4
struct inspect_wait {
	char name[16];		/* "receive" */
	char object[16];	/* "channel"; "": it has none */
	uint32_t waker;		/* enum inspect_waker */
	uint32_t cases;		/* 1: the object is a selection (root: selection_…) */
	struct inspect_fact fact[INSPECT_FACTS];	/* those without a name do not exist */
};

#define INSPECT_REGISTERS 24
struct inspect_register {
	uint16_t number;	/* of DWARF */
	uint16_t at;		/* bytes behind the saved stack pointer */
};

struct inspect_root {
	uint64_t magic;
	uint32_t version;
	uint32_t bytes;		/* of this structure as the library has it */
	uint32_t machine;	/* EM_… of the contexts */
	uint32_t grain_ns;	/* about what moments are behind the clock, at most (coarse_clock.h) */
	uint64_t clock;		/* address of an int64_t: CLOCK_MONOTONIC, ns, when somebody last looked */

	/* Tables of fibers, one for each stack size: of these structures. Fiber i has the i-th stack. */
	struct inspect_table tables;
	struct inspect_field table_fibers, table_stacks, table_stack_bytes, table_used;

	/* Fibers: so many bytes apart. `since` and `born` are moments of the clock. */
	uint32_t fiber_stride;
	uint32_t registers;	/* of `saved` that exist */
	struct inspect_field fiber_id, fiber_state, fiber_wait, fiber_object, fiber_since, fiber_turns, fiber_function, fiber_name,
		fiber_creator, fiber_created_at, fiber_born, fiber_sp, fiber_cancelled;

	/* What lies behind the saved stack pointer of one that does not run; the stack pointer is
	 * context_bytes higher when it goes on. */
	struct inspect_register saved[INSPECT_REGISTERS];
	uint32_t context_bytes;
	uint32_t pc_at;

	struct inspect_table states;	/* struct inspect_state, by number */
	struct inspect_table waits;	/* struct inspect_wait, by number */

	/* Who runs them: a structure with pointers to a list of threads and an array of processors; both are
	 * 0 between runs. */
	uint64_t scheduler;
	struct inspect_field scheduler_threads, scheduler_processors, scheduler_nprocessors, scheduler_nqueue;
	struct inspect_field thread_next, thread_tid, thread_running, thread_left, thread_leave, thread_processor,
		thread_blocked;
	uint32_t processor_stride;
	uint32_t unused;
	/* timers: that are armed there; alive: only its sum over all processors means something: the fibers
	 * there are. */
	struct inspect_field processor_number, processor_thread, processor_turns, processor_alive, processor_timers;

	/* The object of a wait with cases: where they are, and of each the channel (NULL: none), and whether
	 * it sends (not NULL). */
	struct inspect_field selection_cases, selection_count;
	uint32_t case_stride;
	uint32_t channel_wait;	/* number of the wait whose facts are those of a channel */
	struct inspect_field case_channel, case_send;

	/* What follows came later: a root that ends here is one of a library without. */

	/* A pointer that is not NULL: the fiber's stack has no memory, and so many bytes of it, from the saved stack pointer on, lie there.
	 * It changes while the fiber's turns do not, so it is compared as they are. */
	struct inspect_field fiber_copy, fiber_copy_bytes;
};

/* Of a root of the oldest library of this version. */
#define INSPECT_ROOT_LEAST offsetof(struct inspect_root, fiber_copy)

#endif
