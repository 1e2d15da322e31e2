/* Which object of a process gives it malloc, and where the functions of it lie.
 *
 * A dynamic program's symbols are looked for as its loader does: in the program itself, then in the libraries
 * in the order of the loader's own list (struct link_map, which the loader keeps for debuggers: r_debug of
 * <link.h>). So a preloaded allocator, one that is linked in and one that is linked into the program are all
 * found. A static program has them in its own symbol table, when that was not stripped. Allocators that are
 * linked in under other names (je_malloc, _rjem_malloc, mi_malloc, tc_malloc) count as well. Known: glibc's,
 * musl's, jemalloc, tcmalloc, mimalloc; operator new only where the allocator brings it along, since else it
 * calls malloc.
 *
 * Nothing stops. Privilege: the same user or CAP_SYS_PTRACE. Cost: ~5 ms. */
#ifndef OSPREY_DIG_LEAK_LEAK_ALLOCATOR_H
#define OSPREY_DIG_LEAK_LEAK_ALLOCATOR_H

#include "base/vec.h"
#include "dig/image/address_space.h"

/* Where a function's arguments say the size and its result lies. */
enum leak_call {
	LEAK_FIRST,   /* f(size) */
	LEAK_SECOND,  /* f(alignment, size) */
	LEAK_PRODUCT, /* f(n, size) */
	LEAK_THROUGH, /* int f(void **, alignment, size) */
	LEAK_AGAIN,   /* f(old, size) */
	LEAK_FREE,    /* f(old) */
	LEAK_CALLS
};
/* Of a name as symbol tables have it ("malloc", "_Znwm", "je_malloc": prefixed); false: no function of an allocator. */
bool leak_call_of(const char *name, bool *ret_prefixed, enum leak_call *ret);

struct leak_function {
	enum leak_call call;
	const char *name; /* one of them, where several lie at one place */
	char path[64];	  /* to open its file, also when that is deleted or in another mount namespace */
	uint64_t device, inode, offset; /* in the file */
};

struct leak_allocator {
	char object[256]; /* path of the file that has malloc, as the process sees it */
	bool is_static;	  /* the program itself, without a loader */
	VEC(struct leak_function) function;
	uint64_t code_start, code_end; /* around its functions, where they lie together; both 0: they do not */
};

/* -ENOENT: the process has none that is known by name; -EAGAIN: its loader has not finished (it has just
 * begun, or loads a library just now). With the note. */
int leak_allocator_find(struct address_space *a, struct leak_allocator *ret, struct note *note)
	__attribute__((warn_unused_result));
void leak_allocator_deinit(struct leak_allocator *l);

#endif
