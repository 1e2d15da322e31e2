#include "net/descriptor.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#include "kernel_call.h"

#define MOST_DESCRIPTORS (4u << 20)
#define LEAST_DESCRIPTORS (1u << 12)
#define GROW_BY 1024u

_Static_assert(sizeof(struct descriptor) == 64, "a line of the cache for each");

static struct {
	struct short_lock lock;
	struct descriptor *all;
	uint32_t reserved;
	_Atomic uint32_t used;
	uint32_t writable;
	struct descriptor *free;	/* chained by on_readable_arg */
} table;

/* As many as the address space allows (ulimit -v). */
static int table_reserve(void)
{
	for (uint32_t n = MOST_DESCRIPTORS; n >= LEAST_DESCRIPTORS; n /= 2) {
		long at = kernel_call(SYS_mmap, NULL, n * sizeof *table.all, PROT_NONE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (at > -4096 && at < 0)
			continue;
		table.all = (struct descriptor *)at;
		table.reserved = n;
		return 0;
	}
	return -ENOMEM;
}

static int table_grow(void)
{
	if (!table.all && table_reserve() < 0)
		return -ENOMEM;
	if (table.writable == table.reserved)
		return -ENFILE;
	if (kernel_call(SYS_mprotect, table.all + table.writable, GROW_BY * sizeof *table.all,
			PROT_READ | PROT_WRITE) < 0)
		return -ENOMEM;
	table.writable += GROW_BY;
	return 0;
}

int descriptor_new(int fd, unsigned kind, struct descriptor **ret)
{
	int r = 0;

	short_lock_take(&table.lock);
	uint32_t used = atomic_load_explicit(&table.used, memory_order_relaxed);
	struct descriptor *d = table.free;
	if (d) {
		table.free = d->on_readable_arg;
	} else if (used < table.writable || (r = table_grow()) == 0) {
		d = &table.all[used];
		atomic_store_explicit(&d->word, 1ull << 32 | DESCRIPTOR_FREE, memory_order_relaxed);
		atomic_store_explicit(&table.used, used + 1, memory_order_release);
	}
	short_lock_give(&table.lock);
	if (r < 0)
		return r;
	/* A late event may come to its lock meanwhile. */
	short_lock_take(&d->lock);
	d->fd = fd;
	d->kind = (uint8_t)kind;
	d->registered = false;
	d->on_readable = NULL;
	atomic_store_explicit(&d->edges, 1, memory_order_relaxed);
	for (int way = READING; way <= WRITING; way++)
		atomic_store_explicit(&d->drained[way], 0, memory_order_relaxed);
	atomic_store_explicit(&d->unsure, 0, memory_order_relaxed);
	short_lock_give(&d->lock);
	*ret = d;
	return 0;
}

void descriptor_drop(struct descriptor *d)
{
	short_lock_take(&table.lock);
	d->on_readable_arg = table.free;
	table.free = d;
	short_lock_give(&table.lock);
}

struct rt_fd descriptor_open(struct descriptor *d)
{
	uint64_t word = atomic_fetch_and_explicit(&d->word, ~DESCRIPTOR_FREE, memory_order_release);

	return (struct rt_fd){ (uint32_t)(d - table.all), (uint32_t)(word >> 32) };
}

uint64_t descriptor_name(struct descriptor *d)
{
	return (uint64_t)(d - table.all) << 32 | atomic_load_explicit(&d->word, memory_order_relaxed) >> 32;
}

void descriptor_forget_pollers(void)
{
	for (uint32_t i = 0; i < atomic_load(&table.used); i++)
		table.all[i].registered = false;
}

struct descriptor *descriptor_at(uint32_t at)
{
	return at < atomic_load_explicit(&table.used, memory_order_acquire) ? &table.all[at] : NULL;
}

struct descriptor *descriptor_enter(struct rt_fd fd)
{
	struct descriptor *d = descriptor_at(fd.at);

	if (__builtin_expect(!d, 0))
		return NULL;
	uint64_t word = atomic_load_explicit(&d->word, memory_order_relaxed);
	do {
		/* A late handle is not to be seen, by who looks whether others use it. */
		if (__builtin_expect(word >> 32 != fd.turn || word & (DESCRIPTOR_CLOSED | DESCRIPTOR_FREE), 0))
			return NULL;
	} while (!atomic_compare_exchange_weak_explicit(&d->word, &word, word + 1, memory_order_acquire,
							memory_order_relaxed));
	return d;
}

bool descriptor_close(struct descriptor *d)
{
	return !(atomic_fetch_or_explicit(&d->word, DESCRIPTOR_CLOSED, memory_order_acq_rel) & DESCRIPTOR_CLOSED);
}

bool descriptor_close_unused(struct descriptor *d)
{
	uint64_t word = atomic_load_explicit(&d->word, memory_order_relaxed);

	do {
		if ((uint32_t)word != 1)
			return false;
	} while (!atomic_compare_exchange_weak(&d->word, &word, word | DESCRIPTOR_CLOSED));
	return true;
}

void descriptor_finish(struct descriptor *d, uint64_t word)
{
	uint64_t next = (word >> 32) + 1, turn = next > UINT32_MAX ? 1 : next;

	atomic_store(&d->word, turn << 32 | DESCRIPTOR_FREE);
	if (!(d->kind & DESCRIPTOR_KEEP))
		kernel_call(SYS_close, d->fd);
	descriptor_drop(d);
}
