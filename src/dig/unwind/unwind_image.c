/* image_unwind_table: the table of a mapped file, once. */
#include <errno.h>

#include "base/clock.h"
#include "dig/unwind/unwind_cache.h"
#include "dig/unwind/unwind_table.h"

/* Reading a table back and checking it takes about a tenth of building it. */
#define WORTH_KEEPING_NS (2 * NS_PER_MS)

static void free_table(void *table)
{
	unwind_table_free(table);
}

static struct unwind_table *load_or_build(struct elf_image *e)
{
	struct unwind_table *t;

	if (unwind_cache_load(e, &t) == 0)
		return t;
	uint64_t began_ns = clock_thread_cpu_ns();
	if (unwind_table_build(e, &t) < 0)
		return NULL;
	if (clock_thread_cpu_ns() - began_ns >= WORTH_KEEPING_NS)
		(void)!unwind_cache_store(e, t);
	return t;
}

const struct unwind_table *image_unwind_table(struct image *i)
{
	if (!i->unwind_tried && i->elf) {
		i->unwind_tried = true;
		i->free_unwind = free_table;
		i->unwind = load_or_build(i->elf);
	}
	return i->unwind;
}
