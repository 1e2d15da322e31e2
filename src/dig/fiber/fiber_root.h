/* Where the fibers of a process that uses libospreyrt lie, and how they are laid out: its inspection root.
 *
 * The root is found by an ELF note, read from the target's memory: so it makes no difference whether the program is static, stripped,
 * deleted or in another mount namespace, and a core file is read alike. The format is osprey/rt/inspect.h, which the library is
 * built with. Nothing of a root is believed: counts, strides and offsets are bounded when it is parsed, and what it points to is only
 * ever read through the address space.
 *
 * Privilege: the same user or CAP_SYS_PTRACE. Cost: a read of a few hundred bytes for each file that is mapped. Nothing stops. */
#ifndef OSPREY_DIG_FIBER_FIBER_ROOT_H
#define OSPREY_DIG_FIBER_FIBER_ROOT_H

#include "base/vec.h"
#include "dig/image/address_space.h"
#include <osprey/rt/inspect.h>

#define FIBER_STATES_MAX 32
#define FIBER_WAITS_MAX 128 /* fewer than FIBER_NO_WAIT */
#define FIBER_TABLES_MAX 16
#define FIBER_STRUCT_MAX 8192 /* bytes of a structure of the runtime */

struct fiber_root {
	uint64_t address;
	struct inspect_root is;
	unsigned nstates, nwaits;
	struct inspect_state state[FIBER_STATES_MAX]; /* names end in a NUL, and are plain text */
	struct inspect_wait wait[FIBER_WAITS_MAX];
};

/* Pure: the distance that a note of a root tells, and where in `notes` it is told; false: there is none. `align`: 4 or 8. */
bool fiber_note_find(struct span notes, size_t align, int64_t *ret_distance, size_t *ret_at);
/* Pure: a root as it was read, `bytes` of it. -EPROTO: of another version; -EBADMSG: it makes no sense (both told); outputs are
 * without the tables of names. */
int fiber_root_parse(struct span bytes, struct inspect_root *ret, struct note *note) __attribute__((warn_unused_result));
/* Pure: names and facts as they were read; those that make no sense become empty. */
void fiber_states_parse(struct span bytes, uint32_t stride, struct fiber_root *ret);
void fiber_waits_parse(struct span bytes, uint32_t stride, struct fiber_root *ret);

/* -ENOENT: the process does not use the runtime; -EPROTO, -EBADMSG: as above; -errno of the reads; told in `note`. */
int fiber_root_find(struct address_space *a, struct fiber_root **ret, struct note *note) __attribute__((warn_unused_result));
void fiber_root_free(struct fiber_root *r);

/* The number at a field of a structure of which `n` bytes were read; 0 when the field does not exist. */
uint64_t fiber_field(const void *structure, size_t n, struct inspect_field f);

#endif
