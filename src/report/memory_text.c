#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/units.h"
#include "report/memory.h"

#define LIST 12 /* rows of files, arenas and mappings */

const char *memory_heap_reason(int error)
{
	switch (error) {
	case -ENOENT:
		return "no heap of glibc's malloc was found (another allocator, or nothing allocated yet)";
	case -EPERM:
	case -EACCES:
		return "its memory may not be read: needs its own user or CAP_SYS_PTRACE";
	case -ESRCH:
		return "it has ended";
	case -ETIMEDOUT:
		return "its mappings did not answer in time";
	default:
		return "its memory cannot be read";
	}
}

double memory_growth_total(const struct memory_report *r)
{
	return memory_taken_bytes(&r->now->total) - memory_taken_bytes(&r->before->total);
}

static int by_growth(const void *a, const void *b)
{
	const struct memory_growth *x = a, *y = b;

	return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

static int add(memory_growths *to, const char *kind, struct span file, double bytes)
{
	if (isnan(bytes) || bytes == 0)
		return 0;
	struct memory_growth *g = vec_push(to);
	if (!g)
		return -ENOMEM;
	*g = (struct memory_growth){ kind, file, bytes };
	return 0;
}

static const struct memory_file *file_of(const struct process_memory *m, const struct map *at, struct span path)
{
	uint32_t i = map_get(at, map_hash(path.p, path.n));

	if (i == MAP_NONE || !span_equal(memory_file_path(m, &m->files.v[i]), path))
		return NULL;
	return &m->files.v[i];
}

int memory_growths_make(const struct memory_report *r, memory_growths *ret)
{
	struct map at = { 0 };
	int e = 0;

	ret->n = 0;
	for (unsigned k = 0; e == 0 && k < MEMORY_KINDS; k++)
		e = add(ret, memory_kind_name(k), SPAN(""),
			memory_taken_bytes(&r->now->kind[k]) - memory_taken_bytes(&r->before->kind[k]));
	for (uint32_t i = 0; e == 0 && i < r->before->files.n; i++) {
		struct span path = memory_file_path(r->before, &r->before->files.v[i]);

		e = map_set(&at, map_hash(path.p, path.n), i);
	}
	for (size_t i = 0; e == 0 && i < r->now->files.n; i++) {
		struct span path = memory_file_path(r->now, &r->now->files.v[i]);
		const struct memory_file *old = file_of(r->before, &at, path);

		e = add(ret, NULL, path,
			memory_taken_bytes(&r->now->files.v[i].part) - (old ? memory_taken_bytes(&old->part) : 0));
	}
	map_deinit(&at);
	if (e == 0 && ret->n)
		qsort(ret->v, ret->n, sizeof *ret->v, by_growth);
	return e;
}

/* ---- columns ---- */

/* A right-aligned column: its header, and how it is written. */
struct grid_column {
	const char *header;
	unsigned width;
};

/* So many columns, from the left, leave room for `tail` more on the line; one at least. */
static size_t columns_that_fit(const struct page *p, const struct grid_column *c, size_t n, unsigned tail)
{
	size_t fit = 0;
	unsigned at = 0;

	while (fit < n && (fit == 0 || at + c[fit].width + 2 + tail <= p->style.width))
		at += c[fit++].width;
	return fit;
}

static unsigned grid_width(const struct grid_column *c, size_t n)
{
	unsigned width = 0;

	for (size_t i = 0; i < n; i++)
		width += c[i].width;
	return width;
}

static void put_right(struct page *p, const struct grid_column *c, const char *text)
{
	page_put(p, "%*s", (int)c->width, text);
}

static void put_header(struct page *p, const char *heading, const struct grid_column *c, size_t n, const char *last)
{
	page_heading(p, heading);
	page_tone(p, TONE_DIM);
	for (size_t i = 0; i < n; i++)
		put_right(p, &c[i], c[i].header);
	page_put(p, "  %s", last);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

/* A path on what is left of the line; of one that is longer its end, which tells more. */
static void put_path(struct page *p, struct span path)
{
	unsigned room = p->style.width > p->column ? p->style.width - p->column : 0;
	unsigned sign = p->style.unicode ? 1 : 3;

	if (room < 8 || text_columns(path, p->style.unicode) <= room) {
		page_put_span(p, path);
		return;
	}
	while (path.n && text_columns(path, p->style.unicode) + sign > room) {
		path.p++, path.n--;
		while (path.n && ((unsigned char)path.p[0] & 0xc0) == 0x80) /* inside of a letter */
			path.p++, path.n--;
	}
	page_put(p, "…");
	page_put_span(p, path);
}

/* ---- kinds and files ---- */

static const struct {
	struct grid_column column;
	size_t at;
	bool always; /* also when all of it is zero */
} part_columns[] = {
	{ { "resident", 10 }, offsetof(struct memory_part, resident_bytes), true },
	{ { "its share", 11 }, offsetof(struct memory_part, proportional_bytes), true },
	{ { "own dirty", 11 }, offsetof(struct memory_part, private_dirty_bytes), true },
	{ { "swapped", 10 }, offsetof(struct memory_part, swap_bytes), false },
	{ { "huge", 10 }, offsetof(struct memory_part, huge_bytes), false },
};
#define PART_COLUMNS (sizeof part_columns / sizeof part_columns[0])
#define PART_TAIL 18 /* columns for what it is */

struct part_grid {
	struct grid_column column[PART_COLUMNS];
	size_t at[PART_COLUMNS];
	size_t n;
	unsigned width;
};

static reading part_figure(const struct memory_part *m, size_t at)
{
	return *(const reading *)(const void *)((const char *)m + at);
}

/* What the whole process has nothing of has no column. */
static struct part_grid part_grid(const struct page *p, const struct memory_part *total)
{
	struct part_grid g = { .n = 0 };

	for (size_t i = 0; i < PART_COLUMNS; i++) {
		if (!part_columns[i].always && part_figure(total, part_columns[i].at) == 0)
			continue;
		g.column[g.n] = part_columns[i].column;
		g.at[g.n++] = part_columns[i].at;
	}
	g.n = columns_that_fit(p, g.column, g.n, PART_TAIL);
	g.width = grid_width(g.column, g.n);
	return g;
}

static void put_part(struct page *p, const struct part_grid *g, const struct memory_part *m)
{
	for (size_t i = 0; i < g->n; i++) {
		reading bytes = part_figure(m, g->at[i]);
		put_right(p, &g->column[i], reading_ok(bytes) ? bytes_text(reading_value(bytes)).text : "-");
	}
	page_put(p, "  ");
}

static void put_kinds(struct page *p, const struct process_memory *m)
{
	const struct part_grid g = part_grid(p, &m->total);

	put_header(p, "By kind", g.column, g.n, "kind");
	for (unsigned k = 0; k < MEMORY_KINDS; k++) {
		if (m->kind[k].mappings == 0)
			continue;
		put_part(p, &g, &m->kind[k]);
		page_wrap(p, g.width + 4, "%s: %s", memory_kind_name(k), memory_kind_meaning(k));
		page_newline(p);
	}
}

static void put_files(struct page *p, const struct process_memory *m)
{
	const struct part_grid g = part_grid(p, &m->total);

	if (m->files.n == 0)
		return;
	put_header(p, "By file", g.column, g.n, "file");
	for (size_t i = 0; i < m->files.n && i < LIST; i++) {
		put_part(p, &g, &m->files.v[i].part);
		put_path(p, memory_file_path(m, &m->files.v[i]));
		page_newline(p);
	}
	if (m->files.n > LIST) {
		page_wrap(p, 2, "and %zu files that have less", m->files.n - LIST);
		page_newline(p);
	}
}

/* ---- malloc ---- */

static const struct grid_column arena_columns[] = {
	{ "from kernel", 12 }, { "in use", 10 }, { "free on top", 12 }, { "within", 10 }, { "blocks", 7 },
	{ "threads", 8 },
};
#define ARENA_COLUMNS (sizeof arena_columns / sizeof arena_columns[0])
#define ARENA_TAIL 16 /* columns of an address */

static void put_arena(struct page *p, size_t ncolumns, const struct heap_arena *a)
{
	const double bytes[] = { (double)a->system_bytes, (double)(a->system_bytes - a->free_bytes),
				 (double)a->top_bytes, (double)(a->binned_bytes + a->fast_bytes) };
	const uint64_t counts[] = { a->blocks, a->attached };
	const size_t nbytes = sizeof bytes / sizeof bytes[0];
	unsigned hang = grid_width(arena_columns, ncolumns) + 4;
	char number[32];

	for (size_t i = 0; i < ncolumns; i++) {
		snprintf(number, sizeof number, "%" PRIu64, i < nbytes ? 0 : counts[i - nbytes]);
		bool known = !a->torn || i == 0 || i == ARENA_COLUMNS - 1;
		put_right(p, &arena_columns[i], !known ? "-" : i < nbytes ? bytes_text(bytes[i]).text : number);
	}
	page_put(p, "  0x%" PRIx64, a->address);
	page_wrap(p, hang, "%s%s", a->main ? "main " : "",
		  a->torn ? "(not measurable: it changed at each of several looks)" :
		  a->cut ? "(not all free blocks)" : a->moving ? "(about: it changed meanwhile)" : "");
	page_newline(p);
}

static int by_size(const void *a, const void *b)
{
	const struct heap_arena *x = *(const struct heap_arena *const *)a;
	const struct heap_arena *y = *(const struct heap_arena *const *)b;

	return (x->system_bytes < y->system_bytes) - (x->system_bytes > y->system_bytes);
}

static int put_arenas(struct page *p, const struct malloc_heap *h)
{
	size_t ncolumns = columns_that_fit(p, arena_columns, ARENA_COLUMNS, ARENA_TAIL);
	VEC(const struct heap_arena *) order = { 0 };

	vec_each(a, &h->arenas) {
		const struct heap_arena **o = vec_push(&order);

		if (!o) {
			vec_free(&order);
			return -ENOMEM;
		}
		*o = a;
	}
	qsort(order.v, order.n, sizeof *order.v, by_size);
	put_header(p, "Arenas of malloc", arena_columns, ncolumns, "arena");
	for (size_t i = 0; i < order.n && i < LIST; i++)
		put_arena(p, ncolumns, order.v[i]);
	if (order.n > LIST) {
		page_wrap(p, 2, "and %zu arenas that have less", order.n - LIST);
		page_newline(p);
	}
	vec_free(&order);
	return 0;
}

static void put_heap(struct page *p, const struct memory_report *r)
{
	if (r->heap_error) {
		page_wrap(p, 0, "What malloc holds is not measurable: %s.", memory_heap_reason(r->heap_error));
		page_newline(p);
		return;
	}
	const struct heap_arena *t = &r->heap->total;
	const uint64_t within = t->binned_bytes + t->fast_bytes;

	page_wrap(p, 0, "malloc holds %s in %zu arena%s", bytes_text((double)t->system_bytes).text, r->heap->arenas.n,
		  r->heap->arenas.n == 1 ? "" : "s");
	if (t->torn) {
		page_wrap(p, 0, "and allocates too fast for all of them to be read without a stop: look again.");
	} else {
		page_wrap(p, 0, "(large blocks, mapped one by one, not counted): %s%s in use, %s free, of which %s "
			  "lie%s between blocks in use (%.0f%% of the heap is fragmented%s).",
			  t->moving ? "about " : "", bytes_text((double)(t->system_bytes - t->free_bytes)).text,
			  bytes_text((double)t->free_bytes).text, bytes_text((double)within).text,
			  within == 1 ? "s" : "",
			  t->system_bytes ? 100 * (double)within / (double)t->system_bytes : 0,
			  t->cut ? ", at least" : "");
	}
	page_newline(p);
}

/* ---- growth ---- */

static const struct grid_column growth_columns[] = { { "grew", 11 }, { "now", 10 } };
#define GROWTH_COLUMNS (sizeof growth_columns / sizeof growth_columns[0])
#define GROWTH_TAIL 27 /* columns of two addresses */
#define PATH_LEAST 20  /* columns of a path that is cut: fewer say nothing */

static void put_use(struct page *p, unsigned hang, const struct mapping_growth *g)
{
	const struct mapping_use *u = &g->use;

	if (u->threads == 1)
		page_wrap(p, hang, "%s, stack of thread %d (%s)", memory_kind_name(g->kind), u->tid, u->comm);
	else if (u->threads)
		page_wrap(p, hang, "%s, with the stacks of %u threads", memory_kind_name(g->kind), u->threads);
	else if (u->arena)
		page_wrap(p, hang, "%s, of malloc's arena 0x%" PRIx64, memory_kind_name(g->kind), u->arena);
	else if (u->blocks)
		page_wrap(p, hang, "%s, %u large block%s of malloc", memory_kind_name(g->kind), u->blocks,
			  u->blocks == 1 ? "" : "s");
	else
		page_wrap(p, hang, "%s", memory_kind_name(g->kind));
	if (g->name.n && g->name.p[0] == '/') {
		unsigned columns = text_columns(g->name, p->style.unicode);

		page_room(p, hang, columns < PATH_LEAST ? columns : PATH_LEAST, false);
		put_path(p, g->name);
	} else if (span_starts(g->name, "[anon")) {
		page_wrap_span(p, hang, g->name);
	}
}

static void put_mapping(struct page *p, size_t ncolumns, const struct mapping_growth *g)
{
	unsigned hang = grid_width(growth_columns, ncolumns) + 2;
	char grew[UNITS_SIZE + 1];

	snprintf(grew, sizeof grew, "%c%s", g->bytes < 0 ? '-' : '+', bytes_text(fabs(g->bytes)).text);
	put_right(p, &growth_columns[0], grew);
	if (ncolumns > 1)
		put_right(p, &growth_columns[1], g->now_bytes > 0 ? bytes_text(g->now_bytes).text : "gone");
	page_put(p, "  %" PRIx64 "-%" PRIx64, g->start, g->end);
	put_use(p, hang + 2, g);
	if (ncolumns == 1 && g->now_bytes == 0)
		page_wrap(p, hang + 2, "(gone)");
	page_newline(p);
}

static void put_mappings(struct page *p, const mapping_growths *list)
{
	size_t ncolumns = columns_that_fit(p, growth_columns, GROWTH_COLUMNS, GROWTH_TAIL);
	/* What shrank stands at the end, and as much of it is worth a row as what grew. */
	size_t grew = 0, last;

	while (grew < list->n && list->v[grew].bytes > 0)
		grew++;
	last = list->n - grew > LIST / 2 ? LIST / 2 : list->n - grew;
	size_t first = grew > LIST ? LIST : grew;
	put_header(p, "Growth by mapping", growth_columns, ncolumns, "mapping");
	for (size_t i = 0; i < first; i++)
		put_mapping(p, ncolumns, &list->v[i]);
	if (first + last < list->n) {
		page_wrap(p, 2, "and %zu mappings that changed less (--json has them)", list->n - first - last);
		page_newline(p);
	}
	for (size_t i = list->n - last; i < list->n; i++)
		put_mapping(p, ncolumns, &list->v[i]);
}

static int put_growth(struct page *p, const struct memory_report *r)
{
	memory_growths grown = { 0 };
	double total = memory_growth_total(r);
	int e = memory_growths_make(r, &grown);
	size_t kinds = 0;

	if (e < 0) {
		vec_free(&grown);
		return e;
	}
	if (total == 0)
		page_wrap(p, 0, "In %s it neither grew nor shrank%s", duration_text(r->seconds).text,
			  grown.n ? " as a whole:" : ".");
	else
		page_wrap(p, 0, "In %s it %s by %s:", duration_text(r->seconds).text, total < 0 ? "shrank" : "grew",
			  bytes_text(fabs(total)).text);
	vec_each(g, &grown)
		kinds += g->kind != NULL;
	vec_each(g, &grown) {
		if (g->kind)
			page_wrap(p, 0, "%s %c%s%s", g->kind, g->bytes < 0 ? '-' : '+', bytes_text(fabs(g->bytes)).text,
				  --kinds ? "," : ".");
	}
	page_newline(p);
	vec_free(&grown);
	return 0;
}

static void put_growth_by_mapping(struct page *p, const struct memory_report *r)
{
	if (!r->mappings) {
		page_newline(p);
		page_wrap(p, 0, "Growth by mapping is not measurable: needs /proc/%d/smaps, which did not answer in "
			  "time.", r->pid);
		page_newline(p);
	} else if (r->mappings->n) {
		put_mappings(p, r->mappings);
	}
}

int memory_text(struct page *p, const struct memory_report *r)
{
	const struct memory_part *t = &r->now->total;
	int e = 0;

	page_tone(p, TONE_STRONG);
	page_wrap(p, 0, "%d (%s) has %s in memory", r->pid, r->name, bytes_text(reading_value(t->resident_bytes)).text);
	page_tone(p, TONE_PLAIN);
	if (reading_ok(t->private_dirty_bytes))
		page_wrap(p, 0, "and %s in swap. %s of it is its own alone and only swapping or its end gives that "
			  "back.",
			  bytes_text(reading_value(t->swap_bytes)).text,
			  bytes_text(reading_value(t->private_dirty_bytes)).text);
	page_newline(p);
	if (r->before)
		e = put_growth(p, r);
	put_heap(p, r);
	if (r->before)
		put_growth_by_mapping(p, r);
	put_kinds(p, r->now);
	if (e == 0 && !r->heap_error)
		e = put_arenas(p, r->heap);
	put_files(p, r->now);
	return e;
}
