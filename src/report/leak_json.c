#include <errno.h>

#include "report/leak.h"
#include "report/stack.h"

static const char *const ends[] = { [LEAK_GOES_ON] = "time", [LEAK_EXITED] = "exited", [LEAK_EXECED] = "exec" };

static void put_sum(struct json *j, const char *key, const struct leak_sum *s)
{
	json_object(j, key);
	json_u64(j, "samples", s->samples);
	json_double(j, "allocations", s->count);
	json_double(j, "bytes", s->bytes);
	json_double(j, "error_bytes", leak_sum_error(s));
	json_end(j);
}

static void put_row(struct json *j, const struct leak_row *row)
{
	put_sum(j, "live", &row->live);
	put_sum(j, "live_old", &row->old);
	put_sum(j, "allocated", &row->allocated);
	put_sum(j, "allocated_old", &row->allocated_old);
	json_double(j, "mean_age_s", row->mean_age_s);
	json_double(j, "growth_bytes_per_s", row->growth_bytes_per_s);
	json_array(j, "live_bytes_by_quarter");
	for (size_t i = 0; i < LEAK_PARTS; i++)
		json_double(j, NULL, row->part_bytes[i]);
	json_end(j);
}

static int put_site(struct json *j, const struct leak_report *r, const struct leak_row *row)
{
	const struct leak_site *s = &r->watch->sites.site.v[row->site];
	struct process_stacks stacks = { .space = r->watch->space };
	struct stack_report frames = { .stacks = &stacks, .symbolizer = r->symbolizer, .no_kernel = true };
	struct thread_stack t = { .frames = s->frames, .nframes = s->nframes, .end = s->end };
	struct symbol who;
	int e = leak_site_who(r, row->site, &who);

	if (e < 0)
		return e;
	json_object(j, NULL);
	json_string(j, "function", who.function[0] ? who.function : NULL);
	json_string(j, "module", who.module[0] ? who.module : NULL);
	put_row(j, row);
	stack_frames_json(j, "frames", &frames, &t);
	json_string(j, "ends", unwind_end_words(s->end));
	json_end(j);
	return 0;
}

static void put_counts(struct json *j, const struct leak_report *r)
{
	const struct leak_counts *c = &r->watch->counts;

	json_object(j, "counts");
	json_u64(j, "allocations", c->allocations);
	json_u64(j, "allocated_bytes", c->allocated_bytes);
	json_u64(j, "frees", c->frees);
	json_u64(j, "samples", c->samples);
	json_u64(j, "lost_samples", c->ring_full + c->table_full);
	json_u64(j, "missed_hits", c->missed);
	json_u64(j, "without_stack", c->no_stack);
	json_end(j);
}

int leak_json(struct json *j, const struct leak_report *r)
{
	const struct leak_watch *w = r->watch;
	int e = 0;

	json_object(j, NULL);
	json_string(j, "schema", "osprey.leaks/1");
	json_i64(j, "pid", w->pid);
	json_string(j, "name", w->comm);
	json_string(j, "allocator", w->allocator.object);
	json_string(j, "ended_by", ends[w->end]);
	json_double(j, "seconds", (double)(r->window->end_ns - r->window->start_ns) / 1e9);
	json_double(j, "older_s", (double)r->window->older_ns / 1e9);
	json_bool(j, "returns_trapped_for_all", !w->session);
	json_reading(j, "trap_ns", w->trap_ns ? w->trap_ns : READING_ABSENT);
	json_double(j, "cost_cpus", leak_cost_cpus(r));
	put_counts(j, r);
	json_object(j, "total");
	put_row(j, r->total);
	json_end(j);
	json_array(j, "sites");
	for (size_t i = 0; e == 0 && i < r->rows->n; i++)
		e = put_site(j, r, &r->rows->v[i]);
	json_end(j);
	json_end(j);
	return e;
}
