/* The functions of osprey/rt/cold.h. */
#include "osprey/rt/cold.h"

#include <errno.h>
#include <string.h>

#include "cold/cold.h"
#include "door.h"
#include "heap/heap.h"
#include "misuse.h"

static struct cold *cold_new(struct fiber *f)
{
	struct cold *c = heap_malloc(sizeof *c);

	if (c) {
		memset(c, 0, sizeof *c);
		c->fiber = f;
	}
	return c;
}

int rt_cold_begin(void)
{
	struct thread *t = door_enter();
	struct fiber *f = t->running;

	if (!f->cold)
		f->cold = cold_new(f);
	int r = f->cold ? 0 : -ENOMEM;
	if (r == 0)
		f->cold->depth++;
	door_leave();
	return r;
}

void rt_cold_end(void)
{
	struct thread *t = door_enter();
	struct fiber *f = t->running;

	if (!f->cold)
		misuse("rt_cold_end: the fiber's waits are not cold");
	if (--f->cold->depth == 0)
		cold_end(f);
	door_leave();
}

void rt_cold_look(struct rt_cold_state *ret)
{
	*ret = (struct rt_cold_state){
		.fibers = atomic_load_explicit(&cold_sums.fibers, memory_order_relaxed),
		.copied_bytes = atomic_load_explicit(&cold_sums.bytes, memory_order_relaxed),
		.times = atomic_load_explicit(&cold_sums.times, memory_order_relaxed),
	};
}
