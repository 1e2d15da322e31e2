#include "arena/guarded.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "short_lock.h"

#define MOST_BYTES ((size_t)64 << 20)
#define MOST_RANGES 1024u	/* each is a mapping of its own, of which the kernel allows 65 530 */

struct range {
	void *p;
	size_t bytes;
};

static struct range given_back[MOST_RANGES];
static uint32_t first, n;
static size_t total;
static struct short_lock lock;

static size_t whole_pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) & ~(page - 1);
}

void *guarded_get(size_t bytes)
{
	int kept = errno;
	void *p = mmap(NULL, whole_pages(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	errno = kept;
	return p == MAP_FAILED ? NULL : p;
}

/* The oldest, if `bytes` more are too many. */
static struct range make_room(size_t bytes)
{
	struct range r = { 0 };

	short_lock_take(&lock);
	if (n == MOST_RANGES || (n && total + bytes > MOST_BYTES)) {
		r = given_back[first];
		first = (first + 1) % MOST_RANGES;
		n--;
		total -= r.bytes;
	}
	short_lock_give(&lock);
	return r;
}

static int remember(struct range r)
{
	int is = -ENOSPC;

	short_lock_take(&lock);
	if (n < MOST_RANGES && total + r.bytes <= MOST_BYTES) {
		given_back[(first + n++) % MOST_RANGES] = r;
		total += r.bytes;
		is = 0;
	}
	short_lock_give(&lock);
	return is;
}

void guarded_put(void *p, size_t bytes)
{
	int kept = errno;
	struct range r = { p, whole_pages(bytes) }, old;

	while ((old = make_room(r.bytes)).p)
		munmap(old.p, old.bytes);
	/* The memory goes at once, the addresses stay. */
	if (mmap(p, r.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED || remember(r) < 0)
		munmap(p, r.bytes);
	errno = kept;
}
