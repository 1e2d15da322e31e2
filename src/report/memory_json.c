#include "report/memory.h"

#include <inttypes.h>
#include <stdio.h>

static void part(struct json *j, const struct memory_part *m)
{
	json_reading(j, "mappings", m->mappings);
	json_reading(j, "size_bytes", m->size_bytes);
	json_reading(j, "resident_bytes", m->resident_bytes);
	json_reading(j, "proportional_bytes", m->proportional_bytes);
	json_reading(j, "private_dirty_bytes", m->private_dirty_bytes);
	json_reading(j, "swap_bytes", m->swap_bytes);
	json_reading(j, "locked_bytes", m->locked_bytes);
	json_reading(j, "huge_bytes", m->huge_bytes);
}

/* What no walk has seen is null; one that was cut has seen at least so much. */
static void arena_sums(struct json *j, const struct heap_arena *a)
{
	reading known = a->torn ? READING_ABSENT : 0;

	json_u64(j, "system_bytes", a->system_bytes);
	json_u64(j, "peak_bytes", a->peak_bytes);
	json_reading(j, "in_use_bytes", known ? known : a->system_bytes - a->free_bytes);
	json_reading(j, "free_bytes", known ? known : a->free_bytes);
	json_reading(j, "top_bytes", known ? known : a->top_bytes);
	json_reading(j, "binned_bytes", known ? known : a->binned_bytes);
	json_reading(j, "fast_bytes", known ? known : a->fast_bytes);
	json_reading(j, "free_blocks", known ? known : a->blocks);
	json_reading(j, "largest_block_bytes", known ? known : a->largest_bytes);
	json_u64(j, "threads", a->attached);
	json_bool(j, "moving", a->moving);
	json_bool(j, "torn", a->torn);
	json_bool(j, "cut", a->cut);
}

static void heap(struct json *j, const struct memory_report *r)
{
	json_object(j, "malloc");
	json_string(j, "missing", r->heap_error ? memory_heap_reason(r->heap_error) : NULL);
	if (!r->heap_error) {
		json_object(j, "total");
		arena_sums(j, &r->heap->total);
		json_end(j);
		json_array(j, "arenas");
		vec_each(a, &r->heap->arenas) {
			json_object(j, NULL);
			json_u64(j, "address", a->address);
			json_bool(j, "main", a->main);
			arena_sums(j, a);
			json_end(j);
		}
		json_end(j);
	}
	json_end(j);
}

static void mapping(struct json *j, const struct mapping_growth *g)
{
	char range[40];

	json_object(j, NULL);
	snprintf(range, sizeof range, "0x%" PRIx64, g->start);
	json_string(j, "start", range);
	snprintf(range, sizeof range, "0x%" PRIx64, g->end);
	json_string(j, "end", range);
	json_string(j, "kind", memory_kind_name(g->kind));
	if (g->name.n)
		json_span(j, "name", g->name);
	else
		json_null(j, "name");
	json_double(j, "bytes", g->bytes);
	json_double(j, "now_bytes", g->now_bytes);
	json_u64(j, "threads", g->use.threads);
	json_reading(j, "tid", g->use.threads ? (reading)g->use.tid : READING_ABSENT);
	json_string(j, "thread_name", g->use.threads ? g->use.comm : NULL);
	snprintf(range, sizeof range, "0x%" PRIx64, g->use.arena);
	json_string(j, "arena", g->use.arena ? range : NULL);
	json_u64(j, "large_blocks", g->use.blocks);
	json_end(j);
}

static void mappings(struct json *j, const mapping_growths *list)
{
	if (!list) {
		json_null(j, "mappings");
		return;
	}
	json_array(j, "mappings");
	vec_each(g, list)
		mapping(j, g);
	json_end(j);
}

static int growth(struct json *j, const struct memory_report *r)
{
	memory_growths grown = { 0 };
	int e = memory_growths_make(r, &grown);

	if (e == 0) {
		json_object(j, "growth");
		json_double(j, "seconds", r->seconds);
		json_double(j, "bytes", memory_growth_total(r));
		json_array(j, "parts");
		vec_each(g, &grown) {
			json_object(j, NULL);
			json_string(j, "kind", g->kind);
			if (g->kind)
				json_null(j, "file");
			else
				json_span(j, "file", g->file);
			json_double(j, "bytes", g->bytes);
			json_end(j);
		}
		json_end(j);
		mappings(j, r->mappings);
		json_end(j);
	}
	vec_free(&grown);
	return e;
}

int memory_json(struct json *j, const struct memory_report *r)
{
	int e = 0;

	json_object(j, NULL);
	json_string(j, "schema", "osprey.memory-of-process/1");
	json_u64(j, "pid", (uint64_t)r->pid);
	json_string(j, "name", r->name);
	json_object(j, "total");
	part(j, &r->now->total);
	json_end(j);
	json_array(j, "kinds");
	for (unsigned k = 0; k < MEMORY_KINDS; k++) {
		json_object(j, NULL);
		json_string(j, "kind", memory_kind_name(k));
		part(j, &r->now->kind[k]);
		json_end(j);
	}
	json_end(j);
	json_array(j, "files");
	vec_each(f, &r->now->files) {
		json_object(j, NULL);
		json_span(j, "path", memory_file_path(r->now, f));
		json_bool(j, "deleted", f->deleted);
		part(j, &f->part);
		json_end(j);
	}
	json_end(j);
	heap(j, r);
	if (r->before)
		e = growth(j, r);
	else
		json_null(j, "growth");
	json_end(j);
	return e;
}
