#include "view/slab_view.h"

#include "base/units.h"
#include "cmd/view.h"

enum { ALL = VIEW_OWN };

static const struct option options[] = {
	VIEW_OPTIONS,
	[ALL] = { "all", 'a', OPTION_FLAG, NULL, "caches that hold nothing too" },
};

static void head(void *state, struct page *p)
{
	struct slab_overview o = slab_overview(state);

	page_tone(p, TONE_STRONG);
	page_wrap(p, 0, "%zu caches take %s", o.caches, bytes_text(o.bytes).text);
	page_tone(p, TONE_PLAIN);
	if (!isnan(o.reclaimable_bytes))
		page_wrap(p, 0, "(%s in caches that shrink when programs want memory),", bytes_text(o.reclaimable_bytes).text);
	page_wrap(p, 0, "of which %s is room for objects that is unused.", bytes_text(o.wasted_bytes).text);
	if (o.largest)
		page_wrap(p, 0, "Largest: %s, %.0f%%.", o.largest->slab.name, 100 * (double)o.largest->bytes / o.bytes);
	if (o.fastest)
		page_wrap(p, 0, "Grew most: %s, %s a second.", o.fastest->slab.name, bytes_text(o.fastest->byte_growth).text);
	page_newline(p);
	page_newline(p);
}

static int run(const struct arguments *args)
{
	struct slab_view_options view = { .all = args->option[ALL].given };

	return view_run(args, &(struct view_job){ .name = "slab", .view = &view_slab, .options = &view,
						  .interval_operands = true, .head = head });
}

const struct command command_slab = {
	.name = "slab",
	.summary = "show the kernel's object caches, the largest first",
	.description = "What slabtop shows: objects, slabs and memory of each cache, and whether it shrinks when programs want "
		       "memory. With INTERVAL also how fast each grows. Caches without slabs are left out. Needs root: "
		       "/proc/slabinfo is closed to others.\n\n"
		       "INTERVAL is in seconds, or as in 500ms; COUNT is how often.",
	.operands = VIEW_INTERVAL_OPERANDS,
	.max_operands = 2,
	OPTIONS(options),
	.run = run,
};
