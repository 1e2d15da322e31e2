#include "heap/heap_thread.h"

#include <errno.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <string.h>

#include "heap/heap_debug.h"
#include "heap/mapping.h"

#define HEAPS_AT_ONCE 16

static struct heaps {
	struct short_lock lock;
	bool begun;
	bool have_key;
	pthread_key_t key;
	struct heap *left;		/* threads that ended; they have pages */
	struct heap *spare;
	_Atomic uint32_t nleft;
	uint32_t nthreads;
	struct short_lock common_lock;
	struct heap *common;
} heaps;

static void thread_ends(void *arg);

static void secret_make(void)
{
	const void *random = (const void *)getauxval(AT_RANDOM);

	if (random)
		memcpy(&heap_secret, random, sizeof heap_secret);
	heap_secret |= 1;	/* so a key is never a pointer to a block */
}

/* Before the first block. Under the lock. */
static void begin(void)
{
	if (heaps.begun)
		return;
	secret_make();
	heap_debug_begin();
	heaps.have_key = pthread_key_create(&heaps.key, thread_ends) == 0;
	heaps.begun = true;
}

/* Under the lock. */
static struct heap *heap_new(void)
{
	if (!heaps.spare) {
		struct heap *many = segments_forever(HEAPS_AT_ONCE * sizeof *many);
		if (!many)
			return NULL;
		for (int i = 0; i < HEAPS_AT_ONCE; i++) {
			heap_init_lists(&many[i]);
			many[i].next = heaps.spare;
			heaps.spare = &many[i];
		}
	}
	struct heap *h = heaps.spare;
	heaps.spare = h->next;
	return h;
}

static struct heap *take_left(void)
{
	struct heap *h = heaps.left;

	if (h) {
		heaps.left = h->next;
		atomic_fetch_sub_explicit(&heaps.nleft, 1, memory_order_relaxed);
	}
	return h;
}

/* Under the lock. */
static void put_away(struct heap *h, bool has_pages)
{
	if (has_pages) {
		h->next = heaps.left;
		heaps.left = h;
		atomic_fetch_add_explicit(&heaps.nleft, 1, memory_order_relaxed);
	} else {
		h->next = heaps.spare;
		heaps.spare = h;
	}
}

static bool has_pages(const struct heap *h)
{
	bool any = h->full.first != NULL;

	for (unsigned c = 0; c < HEAP_CLASSES && !any; c++)
		any = h->listed[c].first != NULL;
	return any;
}

struct heap *heap_of_thread(void)
{
	struct heap *h = heap_self();

	if (h == &heap_ended)
		return NULL;
	if (h != &heap_none)
		return h;
	heap_lock(&heaps.lock);
	begin();
	h = heap_debugged ? NULL : take_left();
	if (!h && !heap_debugged)
		h = heap_new();
	heaps.nthreads += h != NULL;
	heap_unlock(&heaps.lock);
	if (!h)
		return NULL;
	heap_current = h;
	/* It may allocate, and does so from this heap. */
	if (heaps.have_key)
		pthread_setspecific(heaps.key, h);
	return h;
}

/* What the thread frees and allocates from here on, in later destructors and in libc, is others' and the
 * common heap's. */
static void thread_ends(void *arg)
{
	struct heap *h = arg;

	heap_current = &heap_ended;
	heap_collect(h);
	heap_lock(&heaps.lock);
	heaps.nthreads--;
	put_away(h, has_pages(h));
	heap_unlock(&heaps.lock);
}

struct heap *heap_common_take(void)
{
	heap_lock(&heaps.common_lock);
	if (!heaps.common) {
		heap_lock(&heaps.lock);
		begin();
		heaps.common = heap_new();
		heap_unlock(&heaps.lock);
	}
	if (!heaps.common)
		heap_unlock(&heaps.common_lock);
	return heaps.common;
}

void heap_common_give(void)
{
	heap_unlock(&heaps.common_lock);
}

static void adopt_listed(struct heap *h, struct heap *left)
{
	for (unsigned c = 0; c < HEAP_CLASSES; c++) {
		struct heap_page *page;
		while ((page = left->listed[c].first)) {
			heap_remove(&left->listed[c], page);
			heap_own(h, page);
			heap_append(h, page);
		}
	}
}

/* A full page changes its owner while its flag is cleared here, so nobody has the right to tell. One that
 * somebody else has cleared stays with the old heap, which will be told. */
static void adopt_full(struct heap *h, struct heap *left)
{
	struct heap_page *page, *next;

	for (page = left->full.first; page; page = next) {
		uintptr_t full = PAGE_REMOTE_FULL;
		next = page->next;
		if (page->state != PAGE_FULL ||
		    !atomic_compare_exchange_strong_explicit(&page->remote, &full, 0, memory_order_relaxed, memory_order_relaxed))
			continue;
		heap_remove(&left->full, page);
		heap_own(h, page);
		page->left = page->capacity;
		heap_append(h, page);
	}
}

bool heap_adopt(struct heap *h)
{
	if (atomic_load_explicit(&heaps.nleft, memory_order_relaxed) == 0)
		return false;
	heap_lock(&heaps.lock);
	struct heap *left = take_left();
	heap_unlock(&heaps.lock);
	if (!left)
		return false;
	heap_collect(left);
	adopt_listed(h, left);
	adopt_full(h, left);
	heap_lock(&heaps.lock);
	put_away(left, has_pages(left));
	heap_unlock(&heaps.lock);
	return true;
}

void heap_collect_left(void)
{
	struct heap *all, *next;

	heap_lock(&heaps.lock);
	all = heaps.left;
	heaps.left = NULL;
	atomic_store_explicit(&heaps.nleft, 0, memory_order_relaxed);
	heap_unlock(&heaps.lock);
	for (; all; all = next) {
		next = all->next;
		heap_collect(all);
		heap_lock(&heaps.lock);
		put_away(all, has_pages(all));
		heap_unlock(&heaps.lock);
	}
}

void heap_count(uint32_t *ret_threads, uint32_t *ret_left)
{
	*ret_threads = heaps.nthreads;
	*ret_left = atomic_load_explicit(&heaps.nleft, memory_order_relaxed);
}

/* -- fork: the child has the locks free, and its own heap. Those of other threads are left as they are: one
 * may have been within. */

/* stdio's lock of all streams, which fork takes after these handlers: somebody who has it may wait for a stream, whose
 * holder waits for memory (getline). So it is taken before, as glibc does for its own malloc. */
extern void _IO_list_lock(void) __attribute__((weak));
extern void _IO_list_unlock(void) __attribute__((weak));
extern void _IO_list_resetlock(void) __attribute__((weak));

__thread bool heap_forking __attribute__((tls_model("initial-exec")));

static void fork_before(void)
{
	if (_IO_list_resetlock)
		_IO_list_lock();
	heap_lock(&heaps.common_lock);
	heap_lock(&heaps.lock);
	heap_lock(&segments.lock);
	heap_forking = true;
}

static void locks_give(void)
{
	heap_forking = false;
	heap_unlock(&segments.lock);
	heap_unlock(&heaps.lock);
	heap_unlock(&heaps.common_lock);
}

static void fork_after(void)
{
	locks_give();
	if (_IO_list_resetlock)
		_IO_list_unlock();
}

static void fork_in_child(void)
{
	locks_give();
	if (_IO_list_resetlock)
		_IO_list_resetlock();
}

__attribute__((constructor(101))) static void fork_prepared(void)
{
	pthread_atfork(fork_before, fork_after, fork_in_child);
}
