/* The functions of osprey/rt/local.h. */
#include "local.h"

#include <errno.h>
#include <stdlib.h>

#include "door.h"
#include "osprey/rt/local.h"

#define ROUNDS 4

static void (*_Atomic destructors[RT_LOCALS])(void *);
static _Atomic uint32_t nkeys;

int rt_local_new(void (*destroy)(void *), unsigned *ret_key)
{
	uint32_t n = atomic_load(&nkeys);

	do {
		if (n == RT_LOCALS)
			return -EAGAIN;
	} while (!atomic_compare_exchange_weak(&nkeys, &n, n + 1));
	atomic_store(&destructors[n], destroy);
	*ret_key = n;
	return 0;
}

void *rt_local_get(unsigned key)
{
	void **locals = door_outside()->locals;

	return locals && key < RT_LOCALS ? locals[key] : NULL;
}

int rt_local_set(unsigned key, void *value)
{
	struct fiber *f = door_outside();

	if (key >= atomic_load_explicit(&nkeys, memory_order_acquire))
		return -EINVAL;
	if (!f->locals) {
		f->locals = calloc(RT_LOCALS, sizeof *f->locals);
		if (!f->locals)
			return -ENOMEM;
	}
	f->locals[key] = value;
	return 0;
}

static bool destroy_round(struct fiber *f)
{
	bool some = false;

	for (uint32_t i = 0, n = atomic_load(&nkeys); i < n; i++) {
		void *value = f->locals[i];
		void (*destroy)(void *) = atomic_load(&destructors[i]);
		f->locals[i] = NULL;
		if (!value || !destroy)
			continue;
		destroy(value);
		some = true;
	}
	return some;
}

void local_end(struct fiber *f)
{
	if (!f->locals)
		return;
	for (int i = 0; i < ROUNDS && destroy_round(f); i++)
		;
	free(f->locals);
	f->locals = NULL;
}
