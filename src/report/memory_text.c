#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/units.h"
#include "report/memory.h"

#define LIST 12 /* rows of files and arenas */

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

/* Resident and swapped: what it takes, wherever. */
static double taken(const struct memory_part *m)
{
	double swapped = reading_value(m->swap_bytes);

	return reading_value(m->resident_bytes) + (isnan(swapped) ? 0 : swapped);
}

double memory_growth_total(const struct memory_report *r)
{
	return taken(&r->now->total) - taken(&r->before->total);
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

	return i != MAP_NONE && span_equal(memory_file_path(m, &m->files.v[i]), path) ? &m->files.v[i] : NULL;
}

int memory_growths_make(const struct memory_report *r, memory_growths *ret)
{
	struct map at = { 0 };
	int e = 0;

	ret->n = 0;
	for (unsigned k = 0; e == 0 && k < MEMORY_KINDS; k++)
		e = add(ret, memory_kind_name(k), SPAN(""), taken(&r->now->kind[k]) - taken(&r->before->kind[k]));
	for (uint32_t i = 0; e == 0 && i < r->before->files.n; i++) {
		struct span path = memory_file_path(r->before, &r->before->files.v[i]);

		e = map_set(&at, map_hash(path.p, path.n), i);
	}
	for (size_t i = 0; e == 0 && i < r->now->files.n; i++) {
		struct span path = memory_file_path(r->now, &r->now->files.v[i]);
		const struct memory_file *old = file_of(r->before, &at, path);

		e = add(ret, NULL, path, taken(&r->now->files.v[i].part) - (old ? taken(&old->part) : 0));
	}
	map_deinit(&at);
	if (e == 0 && ret->n)
		qsort(ret->v, ret->n, sizeof *ret->v, by_growth);
	return e;
}

static void cell(struct page *p, reading bytes)
{
	if (reading_ok(bytes))
		page_put(p, " %11s", bytes_text(reading_value(bytes)).text);
	else
		page_put(p, " %11s", "-");
}

static void amount(struct page *p, uint64_t bytes)
{
	page_put(p, " %11s", bytes_text((double)bytes).text);
}

static void put_part(struct page *p, const struct memory_part *m)
{
	cell(p, m->resident_bytes);
	cell(p, m->proportional_bytes);
	cell(p, m->private_dirty_bytes);
	cell(p, m->swap_bytes);
	cell(p, m->huge_bytes);
}

static void part_header(struct page *p, const char *what)
{
	page_heading(p, what);
	page_tone(p, TONE_DIM);
	page_put(p, "%12s %11s %11s %11s %11s", "resident", "its share", "own dirty", "swapped", "huge");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static void put_kinds(struct page *p, const struct process_memory *m)
{
	part_header(p, "By kind");
	for (unsigned k = 0; k < MEMORY_KINDS; k++) {
		if (m->kind[k].mappings == 0)
			continue;
		put_part(p, &m->kind[k]);
		page_put(p, "  %s: %s", memory_kind_name(k), memory_kind_meaning(k));
		page_newline(p);
	}
}

static void put_files(struct page *p, const struct process_memory *m)
{
	if (m->files.n == 0)
		return;
	part_header(p, "By file");
	for (size_t i = 0; i < m->files.n && i < LIST; i++) {
		put_part(p, &m->files.v[i].part);
		page_put(p, "  ");
		page_put_span(p, memory_file_path(m, &m->files.v[i]));
		page_put(p, "%s", m->files.v[i].deleted ? " (deleted)" : "");
		page_newline(p);
	}
	if (m->files.n > LIST) {
		page_put(p, "  and %zu files that have less", m->files.n - LIST);
		page_newline(p);
	}
}

static void put_arena(struct page *p, const struct heap_arena *a)
{
	amount(p, a->system_bytes);
	if (a->torn) {
		page_put(p, "  not measurable: it changed at each of several looks");
	} else {
		amount(p, a->system_bytes - a->free_bytes);
		amount(p, a->top_bytes);
		amount(p, a->binned_bytes + a->fast_bytes);
		page_put(p, " %9" PRIu64 " %8" PRIu64, a->blocks, a->attached);
	}
	page_put(p, "  %s 0x%" PRIx64 "%s", a->main ? "main" : "    ", a->address,
		 a->cut ? " (not all free blocks)" : a->moving ? " (about: it changed meanwhile)" : "");
	page_newline(p);
}

static int by_size(const void *a, const void *b)
{
	const struct heap_arena *x = *(const struct heap_arena *const *)a, *y = *(const struct heap_arena *const *)b;

	return (x->system_bytes < y->system_bytes) - (x->system_bytes > y->system_bytes);
}

static int put_arenas(struct page *p, const struct malloc_heap *h)
{
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
	page_heading(p, "Arenas of malloc");
	page_tone(p, TONE_DIM);
	page_put(p, "%12s %11s %11s %11s %9s %8s", "from kernel", "in use", "free on top", "free within", "blocks", "threads");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
	for (size_t i = 0; i < order.n && i < LIST; i++)
		put_arena(p, order.v[i]);
	if (order.n > LIST) {
		page_put(p, "  and %zu arenas that have less", order.n - LIST);
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
		page_wrap(p, 0, "(large blocks, mapped one by one, not counted): %s%s in use, %s free, of which %s lie%s between "
			  "blocks in use (%.0f%% of the heap is fragmented%s).",
			  t->moving ? "about " : "", bytes_text((double)(t->system_bytes - t->free_bytes)).text, bytes_text((double)t->free_bytes).text,
			  bytes_text((double)within).text, within == 1 ? "s" : "",
			  t->system_bytes ? 100 * (double)within / (double)t->system_bytes : 0, t->cut ? ", at least" : "");
	}
	page_newline(p);
}

static int put_growth(struct page *p, const struct memory_report *r)
{
	memory_growths grown = { 0 };
	double total = memory_growth_total(r);
	int e = memory_growths_make(r, &grown);

	if (e < 0) {
		vec_free(&grown);
		return e;
	}
	if (total == 0)
		page_wrap(p, 0, "In %s it neither grew nor shrank%s", duration_text(r->seconds).text, grown.n ? " as a whole:" : ".");
	else
		page_wrap(p, 0, "In %s it %s by %s:", duration_text(r->seconds).text, total < 0 ? "shrank" : "grew",
			  bytes_text(fabs(total)).text);
	page_newline(p);
	for (size_t i = 0; i < grown.n && i < LIST; i++) {
		page_put(p, "  %c%-10s ", grown.v[i].bytes < 0 ? '-' : '+', bytes_text(fabs(grown.v[i].bytes)).text);
		if (grown.v[i].kind)
			page_put(p, "%s", grown.v[i].kind);
		else
			page_put_span(p, grown.v[i].file);
		page_newline(p);
	}
	vec_free(&grown);
	return 0;
}

int memory_text(struct page *p, const struct memory_report *r)
{
	const struct memory_part *t = &r->now->total;
	int e = 0;

	page_tone(p, TONE_STRONG);
	page_wrap(p, 0, "%d (%s) has %s in memory", r->pid, r->name, bytes_text(reading_value(t->resident_bytes)).text);
	page_tone(p, TONE_PLAIN);
	if (reading_ok(t->private_dirty_bytes))
		page_wrap(p, 0, "and %s in swap. %s of it is its own alone and only swapping or its end gives that back.",
			  bytes_text(reading_value(t->swap_bytes)).text, bytes_text(reading_value(t->private_dirty_bytes)).text);
	page_newline(p);
	if (r->before)
		e = put_growth(p, r);
	put_heap(p, r);
	put_kinds(p, r->now);
	if (e == 0 && !r->heap_error)
		e = put_arenas(p, r->heap);
	put_files(p, r->now);
	return e;
}
