/* Inspection roots of libospreyrt and all that they lead to: notes, a root, then memory with fibers, threads, stacks and objects, all of it
 * the input. The root lies at its front; the memory is the whole input, at BASE. */
#include <errno.h>
#include <stdlib.h>

#include "dig/fiber/fiber_deadlock.h"

#define BASE 0x10000ull
#define WAITS_AT 128 /* bytes behind the root; states lie before */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_bytes(void *arg, uint64_t address, void *to, size_t n)
{
	const struct span *bytes = arg;

	if (address < BASE || address - BASE > bytes->n || n > bytes->n - (address - BASE))
		return -EFAULT;
	memcpy(to, bytes->p + (address - BASE), n);
	return 0;
}

static void list(struct address_space *a, const struct fiber_root *root)
{
	struct fiber_list l;
	struct fiber_deadlocks d;

	if (fiber_list_read(a, root, NULL, &l) < 0)
		return;
	vec_each(f, &l.fiber) {
		struct fiber_object o[8];
		uint64_t all;
		if (strlen(fiber_name(&l, f)) > 64 || (f->stack != FIBER_NO_STACK && f->stack >= l.stack.n))
			__builtin_trap();
		(void)fiber_state_words(&l, f);
		if (fiber_object_read(a, &l, f, &o[0]))
			(void)fiber_waits_for(&o[0]);
		if (fiber_cases_read(a, &l, f, o, 8, &all) > 8)
			__builtin_trap();
	}
	if (fiber_deadlocks_find(a, &l, &d) == 0) {
		vec_each(m, &d.member)
			if (*m >= l.fiber.n)
				__builtin_trap();
		fiber_deadlocks_deinit(&d);
	}
	fiber_list_deinit(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char copy[1 << 16];
	struct span bytes = { copy, size };
	struct fiber_root root = { 0 };
	struct inspect_root *head = (struct inspect_root *)(void *)copy;
	int64_t distance;
	size_t at;

	if (size > sizeof copy)
		return 0;
	memcpy(copy, data, size);
	(void)fiber_note_find(bytes, size % 2 ? 4 : 8, &distance, &at);
	if (size < sizeof *head + WAITS_AT)
		return 0;
	head->magic = INSPECT_MAGIC;
	head->version = INSPECT_VERSION;
	head->bytes = sizeof *head;
	if (fiber_root_parse(bytes, &root.is, NULL) < 0)
		return 0;
	fiber_states_parse((struct span){ copy + sizeof *head, size - sizeof *head }, root.is.states.stride, &root);
	fiber_waits_parse((struct span){ copy + sizeof *head + WAITS_AT, size - sizeof *head - WAITS_AT }, root.is.waits.stride, &root);
	struct memory_map map = { 0 };
	struct mapping *m = vec_push(&map.mapping);
	struct image_store *store = NULL;
	struct address_space *a = NULL;
	if (m)
		*m = (struct mapping){ .start = BASE, .end = BASE + 0x10000, .flags = 7, .name = "" };
	if (m && image_store_new(&store) == 0 && address_space_of_map(store, &map, &a) == 0) {
		a->read = read_bytes;
		a->arg = &bytes;
		list(a, &root);
	}
	address_space_free(a);
	image_store_free(store);
	return 0;
}
