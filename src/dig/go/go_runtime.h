/* The goroutines of a process written in Go, live or in a core file, without stopping it.
 *
 * Read: runtime.allgs and each g (its state, what it waits for, where it stands), the stacks in batches by
 * process_vm_readv; then each g again: what has changed meanwhile is `torn`. The caller of a frame comes from
 * the table of functions (go_table.h), exactly, also in code without frame pointers. Without a symbol table
 * allgs is found by what it is: a slice in the program's data whose pointers lead to g's that point to
 * themselves (g.sched.g); reasons for waiting by their first text.
 *
 * Offsets in g: those of the Go version, confirmed on the g's themselves (states that exist, ids that
 * differ); when they do not fit, those of the neighbouring versions. Sources: runtime/runtime2.go of Go 1.17
 * to 1.25 (g, m, gobuf, waitReason).
 *
 * Privilege: the same user or CAP_SYS_PTRACE. Kernel: 3.2. Go 1.17 on, x86-64. Cost: ~4 us a goroutine;
 * nothing stops. */
#ifndef OSPREY_DIG_GO_GO_RUNTIME_H
#define OSPREY_DIG_GO_GO_RUNTIME_H

#include "base/reading.h"
#include "dig/go/go_image.h"
#include "dig/unwind/unwind.h"

#define GO_FRAMES_MAX 512 /* of one goroutine */
#define GO_REASONS_MAX 64

enum go_status { /* as the runtime counts them */
	GO_IDLE, GO_RUNNABLE, GO_RUNNING, GO_SYSCALL, GO_WAITING, GO_DEAD = 6, GO_COPYSTACK = 8, GO_PREEMPTED, GO_LEAKED,
};
/* "runnable", as the runtime's own dump says it */
const char *go_status_words(enum go_status status);

struct go_layout { /* offsets in g and m, bytes */
	unsigned from_minor; /* Go 1.N on */
	uint16_t syscall_sp, syscall_pc, status, id, wait_since, wait_reason, created_pc, start_pc;
	uint16_t thread_id; /* m.procid */
};

struct go_runtime {
	struct address_space *space; /* the caller's */
	struct image *image;
	struct go_image *go; /* of the image's symbols */
	uint64_t bias, all; /* address of runtime.allgs */
	char version[64];
	unsigned minor;
	struct go_layout layout;
	bool layout_confirmed; /* by the first goroutines that were read */
	char reason[GO_REASONS_MAX][40];
	struct go_step *steps; /* of pcs that were met before: stacks are much alike */
	unsigned nreasons; /* 0: not found; the number is told then */
};

struct goroutine {
	uint64_t id, address;
	enum go_status status;
	const char *wait_reason; /* of GO_WAITING; "": none is told. In the runtime */
	/* at least so long; the runtime notes it when it collects garbage, so often ABSENT; of a core too */
	reading wait_ns;
	uint64_t created_pc; /* a `go` statement: go_function_name(…); 0: none (main, the runtime's own) */
	uint64_t start_pc;
	bool system; /* the runtime's own: Go leaves it out of its dumps */
	bool torn;   /* it ran between the first byte and the last */
	/* of the thread that runs it (GO_RUNNING, GO_SYSCALL), in its own pid namespace; 0: none. A running one's
	 * frames are not here: they are that thread's */
	int tid;
	size_t first, nframes; /* in `frame` */
	enum unwind_end end;
};

struct goroutines {
	VEC(struct goroutine) goroutine; /* by id; dead ones left out */
	VEC(struct unwind_frame) frame;
	size_t torn, unread; /* unread: pointers of allgs that led nowhere */
};

/* -ENOENT: no Go in it; -EOPNOTSUPP: Go older than 1.17; -ESRCH: its allgs could not be found (told in the
 * note), -EACCES, -ENOMEM. The space must outlive it. */
int go_runtime_find(struct address_space *a, struct go_runtime **ret, struct note *note)
	__attribute__((warn_unused_result));
void go_runtime_free(struct go_runtime *r);
/* 0 or -errno of the first reads; -EBADMSG: no layout fits. *ret is replaced on success. */
int go_goroutines_read(struct go_runtime *r, struct goroutines *ret, struct note *note)
	__attribute__((warn_unused_result));
void goroutines_deinit(struct goroutines *g);

/* From a pc and sp in Go code: frames by the table of functions. `exact`: the pc is the instruction itself.
 * For the threads of running goroutines. The number; where it leaves Go code: UNWIND_NO_RULE. */
size_t go_walk(const struct go_runtime *r, const struct unwind_memory *memory, uint64_t pc, uint64_t sp, bool exact,
	       struct unwind_frame *ret, size_t max, enum unwind_end *ret_end);
/* Functions and lines at an address of the process, innermost first; 0: not Go code. Strings live as long as
 * the image. */
size_t go_symbol(const struct go_runtime *r, uint64_t pc, bool exact, struct go_line *ret, size_t max);
/* ""; of a pc that stands behind a call (created_pc). */
const char *go_function_name(const struct go_runtime *r, uint64_t pc);

#endif
