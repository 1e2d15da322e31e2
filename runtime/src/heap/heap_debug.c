#include "heap/heap_debug.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap/heap_fault.h"
#include "heap/heap_thread.h"
#include "heap/heap_walk.h"
#include "heap/mapping.h"

#define ZONE_BYTES 16
/* So much of a long zone, and of a long block in quarantine, is looked at. */
#define ZONE_MOST 256
#define FILLED_MOST ((size_t)1 << 20)
#define QUARANTINE_BLOCKS (1u << 16)
#define QUARANTINE_MIB 16
#define ZONE 0xfd
#define FRESH 0xcd
#define FREED 0xdf

enum { LIVE = 0x4c495645, GONE = 0x474f4e45 };

/* At the begin of the heap's block. */
struct front {
	uint64_t magic;
	char *block;
	size_t size;
	uint64_t state;
};

bool heap_debugged;
static struct quarantine {
	size_t most_bytes, bytes, room;
	struct front **ring;
	uint32_t first, n;
} quarantine;

void heap_debug_begin(void)
{
	const char *value = secure_getenv("RT_HEAP_DEBUG");
	long mib = value ? strtol(value, NULL, 10) : 0;

	if (mib <= 0)
		return;
	quarantine.most_bytes = (size_t)(mib == 1 ? QUARANTINE_MIB : mib) << 20;
	quarantine.ring = segments_forever(QUARANTINE_BLOCKS * sizeof *quarantine.ring);
	heap_debugged = quarantine.ring != NULL;
}

static uint64_t magic_of(const struct front *f)
{
	return heap_secret ^ (uintptr_t)f ^ UINT64_C(0x6f73707265790000);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The first byte that is not what it was filled with; NULL: all are. */
static const char *changed(const char *at, size_t n, unsigned char filled)
{
	for (; n > 0; n--, at++)
		if ((unsigned char)*at != filled)
			return at;
	return NULL;
}

static char *front_zone(const struct front *f)
{
	size_t n = (size_t)(f->block - (char *)(f + 1));

	return f->block - least(n, ZONE_MOST);
}

static size_t end_zone(const struct front *f)
{
	return least((size_t)((char *)f + heap_usable(f) - f->block) - f->size, ZONE_MOST);
}

void *heap_debug_take(size_t alignment, size_t size)
{
	if (size > PTRDIFF_MAX - 2 * alignment - 4096)
		return NULL;
	struct heap *h = heap_common_take();
	if (!h)
		return NULL;
	struct front *f = heap_take_aligned(h, 16, sizeof *f + ZONE_BYTES + alignment + size + ZONE_BYTES);
	if (f) {
		f->block = (char *)(((uintptr_t)(f + 1) + ZONE_BYTES + alignment - 1) & ~(alignment - 1));
		f->size = size;
		f->state = LIVE;
		f->magic = magic_of(f);
		memset(front_zone(f), ZONE, (size_t)(f->block - front_zone(f)));
		memset(f->block, FRESH, least(size, FILLED_MOST));
		memset(f->block + size, ZONE, end_zone(f));
	}
	heap_common_give();
	return f ? f->block : NULL;
}

/* Gives the lock back, for handlers of SIGABRT that allocate. */
_Noreturn static void fault_at(const struct front *f, const char *what, const char *at)
{
	heap_common_give();
	heap_fault_at(f->block, f->size, what, (long)(at - f->block));
}

static void check_zones(const struct front *f)
{
	const char *at = changed(front_zone(f), (size_t)(f->block - front_zone(f)), ZONE);

	if (at)
		fault_at(f, "written before its begin,", at);
	at = changed(f->block + f->size, end_zone(f), ZONE);
	if (at)
		fault_at(f, "written behind its end,", at);
}

static void check_freed(const struct front *f)
{
	const char *at = changed(f->block, least(f->size, FILLED_MOST), FREED);

	if (at)
		fault_at(f, "written after it was freed,", at);
	check_zones(f);
}

/* The block that is said to begin at `block`, and does. */
static struct front *front_of(const void *block)
{
	struct heap_found found;
	const char *what = NULL;

	if (!heap_found_at(block, &found))
		what = "not a block of this heap";
	struct front *f = what ? NULL : found.block;
	if (f && f->magic != magic_of(f))
		what = "not a block: freed long ago, or never allocated";
	else if (f && f->block != block)
		fault_at(f, "not the begin of the block, but", block);
	if (!what)
		return f;
	heap_common_give();
	heap_fault(block, what);
}

static void quarantine_leave(struct heap *h)
{
	struct front *f = quarantine.ring[quarantine.first++ % QUARANTINE_BLOCKS];

	check_freed(f);
	quarantine.n--;
	quarantine.bytes -= f->size;
	quarantine.room -= heap_usable(f);
	f->magic = 0;
	heap_give(h, f);
}

static void quarantine_enter(struct heap *h, struct front *f)
{
	quarantine.bytes += f->size;
	quarantine.room += heap_usable(f);
	quarantine.ring[(quarantine.first + quarantine.n++) % QUARANTINE_BLOCKS] = f;
	while (quarantine.n == QUARANTINE_BLOCKS || (quarantine.n && quarantine.bytes > quarantine.most_bytes))
		quarantine_leave(h);
}

void heap_debug_give(void *block)
{
	struct heap *h = heap_common_take();
	struct front *f = front_of(block);

	if (f->state == GONE) {
		heap_common_give();
		heap_fault_sized(f->block, f->size, "freed already");
	}
	check_zones(f);
	memset(f->block, FREED, least(f->size, FILLED_MOST));
	f->state = GONE;
	quarantine_enter(h, f);
	heap_common_give();
}

size_t heap_debug_usable(const void *block)
{
	heap_common_take();
	struct front *f = front_of(block);
	if (f->state == GONE) {
		heap_common_give();
		heap_fault_sized(f->block, f->size, "used after it was freed");
	}
	heap_common_give();
	return f->size;
}

bool heap_debug_within(void *base, void **ret_block, size_t *ret_size)
{
	struct front *f = base;

	if (f->magic != magic_of(f) || f->state != LIVE)
		return false;
	*ret_block = f->block;
	*ret_size = f->size;
	return true;
}

void heap_debug_quarantined(uint64_t *ret_bytes, uint64_t *ret_blocks)
{
	*ret_bytes = 0;
	*ret_blocks = 0;
	if (!heap_debugged || !heap_common_take())
		return;
	*ret_bytes = quarantine.room;
	*ret_blocks = quarantine.n;
	heap_common_give();
}

/* What still is in quarantine at the end. */
__attribute__((destructor)) static void debug_ends(void)
{
	if (!heap_debugged || !heap_common_take())
		return;
	for (uint32_t i = 0; i < quarantine.n; i++)
		check_freed(quarantine.ring[(quarantine.first + i) % QUARANTINE_BLOCKS]);
	heap_common_give();
}
