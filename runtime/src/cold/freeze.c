#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "cold/cold.h"
#include "heap/heap.h"
#include "kernel_call.h"
#include "outside.h"
#include "scheduler.h"

/* So many by one call, and so many are looked at for them: about a hundred microseconds. */
#define AT_ONCE 64u
#define LOOKS 256u
/* Of more than this no copy is made: then only what lies below it is given back. */
#define COPY_MOST 3072u

#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#define PIDFD_SELF_PROCESS (-10001)	/* Linux 6.14 */

/* Old words are taken for pointers by those who look for leaks, also words in registers: so it is none. */
struct item {
	uintptr_t hidden;
	struct iovec range;	/* empty: it keeps what it has */
	bool copied;
};

static struct cold *cold_of(const struct item *i)
{
	return (struct cold *)~i->hidden;
}

/* Its time has come: it is taken out of the line. NULL: nobody's. Under the lock of the line. */
static struct cold *take_due(int64_t now)
{
	for (unsigned i = 0; i < LOOKS && freeze_due() <= now; i++) {
		struct cold *c = cold_line.first;
		uint32_t waits = COLD_WAITS;
		cold_line_remove(c);
		perturb();
		if (atomic_load(&c->state) != COLD_WAITS)
			continue;
		/* It has run meanwhile, and waits anew. */
		if (atomic_load_explicit(&c->since, memory_order_relaxed) > now - COLD_AFTER_NS)
			cold_line_append(c, now);
		else if (atomic_compare_exchange_strong(&c->state, &waits, COLD_FREEZING))
			return c;
	}
	return NULL;
}

static uint32_t take_all_due(int64_t now, struct item *ret)
{
	uint32_t n = 0;

	short_lock_take(&cold_line.lock);
	for (struct cold *c; n < AT_ONCE && (c = take_due(now)); n++)
		ret[n].hidden = ~(uintptr_t)c;
	short_lock_give(&cold_line.lock);
	return n;
}

/* The pages below what is in use. */
static struct iovec lower_part(const struct fiber *f)
{
	uintptr_t low = (uintptr_t)fiber_stack_low(f), page = fiber_page_bytes();
	uintptr_t to = (uintptr_t)f->context.sp & ~(page - 1);

	return (struct iovec){ (void *)low, to - low > page ? to - low : 0 };
}

static void copy_out(struct item *i)
{
	struct fiber *f = cold_of(i)->fiber;
	size_t bytes = (size_t)(fiber_stack_top(f) - (char *)f->context.sp);
	char *copy = bytes <= COPY_MOST ? heap_malloc(bytes) : NULL;

	i->copied = copy != NULL;
	i->range = lower_part(f);
	if (!copy)
		return;
	i->range.iov_len = fiber_stack_bytes((enum rt_stack)f->stack_size);
	sanitizer_copy_stack(copy, f->context.sp, bytes);
	/* What a block held before looks like pointers to those who look for leaks. */
	memset(copy + bytes, 0, heap_block_usable(copy) - bytes);
	sanitizer_root_made(copy, bytes);
	f->cold_bytes = (uint32_t)bytes;
	atomic_store_explicit(&f->cold_copy, copy, memory_order_release);
}

/* Most times they are. */
static void order_by_address(struct item *items, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		struct item moved = items[i];
		uint32_t at = i;
		for (; at > 0 && items[at - 1].range.iov_base > moved.range.iov_base; at--)
			items[at] = items[at - 1];
		items[at] = moved;
	}
}

/* Stacks that lie side by side are one range: guards stay where they are, whatever is given back around them.
 */
static uint32_t ranges_of(struct item *items, uint32_t n, struct iovec *ret)
{
	uint32_t m = 0;

	order_by_address(items, n);
	for (uint32_t i = 0; i < n; i++) {
		struct iovec at = items[i].range;
		if (!at.iov_len)
			continue;
		if (m && (char *)ret[m - 1].iov_base + ret[m - 1].iov_len == (char *)at.iov_base)
			ret[m - 1].iov_len += at.iov_len;
		else
			ret[m++] = at;
	}
	return m;
}

static bool give_back_together(const struct iovec *ranges, uint32_t n)
{
	size_t all = 0;

	for (uint32_t i = 0; i < n; i++)
		all += ranges[i].iov_len;
	return kernel_call(SYS_process_madvise, PIDFD_SELF_PROCESS, ranges, n, MADV_DONTNEED, 0) == (long)all;
}

/* False: the kernel keeps some (mlockall). */
static bool give_back(const struct iovec *ranges, uint32_t n)
{
	static bool one_by_one;

#ifdef SANITIZER_VALGRIND
	/* It does not know the call, and says so. */
	one_by_one |= RUNNING_ON_VALGRIND;
#endif
	if (n > 1 && !one_by_one && give_back_together(ranges, n))
		return true;
	for (uint32_t i = 0; i < n; i++)
		if (kernel_call(SYS_madvise, ranges[i].iov_base, ranges[i].iov_len, MADV_DONTNEED) < 0)
			return false;
	/* It was the call that failed. */
	one_by_one |= n > 1;
	return true;
}

/* True: its stack is on no way any more. False: somebody has woken it meanwhile. */
static bool settle(struct cold *c, enum cold_state state)
{
	uint32_t freezing = COLD_FREEZING;

	perturb();
	return atomic_compare_exchange_strong(&c->state, &freezing, state);
}

/* From here on its stack has no memory: not sooner, since some wait for that. */
static void count(const struct fiber *f)
{
	atomic_fetch_add_explicit(&cold_sums.bytes, f->cold_bytes, memory_order_relaxed);
	atomic_fetch_add_explicit(&cold_sums.times, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&cold_sums.fibers, 1, memory_order_release);
}

static void finish(const struct item *i, bool given)
{
	struct fiber *f = cold_of(i)->fiber;

	if (i->copied && !given)
		cold_put_back(f);
	bool frozen = i->copied && given;
	if (frozen) {
		sanitizer_stack_given_back(f->context.sp, f->cold_bytes);
		count(f);
	}
	if (settle(cold_of(i), frozen ? COLD_FROZEN : COLD_WAITS))
		return;
	if (frozen)
		cold_restore(f);
	fiber_ready_from_outside(f);
}

static uint32_t freeze(int64_t now)
{
	struct item items[AT_ONCE];
	struct iovec ranges[AT_ONCE];
	uint32_t n = take_all_due(now, items);

	for (uint32_t i = 0; i < n; i++)
		copy_out(&items[i]);
	perturb();
	bool given = give_back(ranges, ranges_of(items, n, ranges));
	for (uint32_t i = 0; i < n; i++)
		finish(&items[i], given);
	return n;
}

bool freeze_some(int64_t now)
{
	if (freeze_due() > now)
		return false;
	/* Who is woken in between is in no queue. */
	outside_expect();
	short_lock_take(&cold_stacks);
	uint32_t n = freeze(now);
	short_lock_give(&cold_stacks);
	outside_done();
	return n == AT_ONCE;
}
