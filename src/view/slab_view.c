#include "view/slab_view.h"

#include <errno.h>
#include <stdlib.h>

#include "base/units.h"
#include "source/memory/page_size.h"

struct slab_state {
	struct host *host;
	struct buf scratch;
	struct host_time last;
	struct view_span span;
	bool all, flags_wanted;
	uint64_t page_bytes;
	slab_vec now;
	VEC(struct slab_row) rows, old_rows; /* all caches, in the kernel's order */
};

/* ---- columns ---- */

#define ROW ((const struct slab_row *)row)
#define SLABINFO "/proc/slabinfo "
static struct cell get_name(const void *row) { return cell_text(ROW->slab.name); }
static struct cell get_bytes(const void *row) { return cell_reading(ROW->bytes); }
static struct cell get_total_pct(const void *row) { return cell_share(ROW->bytes, ROW->total_bytes); }
#define SLAB_READING(name) \
	static struct cell get_##name(const void *row) { return cell_reading(ROW->slab.name); }
SLAB_READING(active_objects)
SLAB_READING(objects)
SLAB_READING(object_bytes)
SLAB_READING(slabs)
SLAB_READING(active_slabs)
SLAB_READING(objects_per_slab)
SLAB_READING(pages_per_slab)
static struct cell get_active_pct(const void *row)
{
	return cell_share(ROW->slab.active_objects, (double)ROW->slab.objects);
}
static double idle_bytes(const struct slab_row *r)
{
	return (reading_value(r->slab.objects) - reading_value(r->slab.active_objects)) * reading_value(r->slab.object_bytes);
}
static struct cell get_idle(const void *row) { return cell_real(idle_bytes(ROW)); }
static struct cell get_reclaimable(const void *row)
{
	reading r = ROW->reclaimable;

	return reading_ok(r) ? cell_text(r ? "yes" : "no") : cell_reading(r);
}
static struct cell get_byte_growth(const void *row) { return cell_real(ROW->byte_growth); }
static struct cell get_object_growth(const void *row) { return cell_real(ROW->object_growth); }

static const struct column slab_columns[] = {
	COLUMN(2200, name, "CACHE", TEXT, LABEL, get_name, 0, SLABINFO "name",
	       "name of the cache; several kinds of objects may share one"),
	COLUMN(2201, bytes, "SIZE", BYTES, GAUGE, get_bytes, 0, SLABINFO "num_slabs, pagesperslab",
	       "memory its slabs take"),
	COLUMN(2202, total_pct, "SHARE%", PCT, GAUGE, get_total_pct, 3, SLABINFO,
	       "of the memory of all caches"),
	COLUMN(2203, growth_bytes_per_s, "GROWTH/s", BYTES_PER_S, RATE, get_byte_growth, 1, SLABINFO,
	       "how fast its memory grows"),
	COLUMN(2204, growth_objects_per_s,
	       "OBJGROWTH/s", PER_S, RATE, get_object_growth, 4, SLABINFO "active_objs",
	       "how fast objects in use become more"),
	COLUMN(2205, active_objects, "ACTIVE", COUNT, GAUGE, get_active_objects, 2, SLABINFO "active_objs",
	       "objects in use (those of the slabs a CPU works on all count)"),
	COLUMN(2206, objects, "OBJECTS", COUNT, GAUGE, get_objects, 1, SLABINFO "num_objs",
	       "objects there is room for"),
	COLUMN(2207, active_pct, "ACTIVE%", PCT, GAUGE, get_active_pct, 5, SLABINFO "active_objs, num_objs",
	       "objects in use, of those"),
	COLUMN(2208, object_bytes, "OBJSIZE", BYTES, GAUGE, get_object_bytes, 2, SLABINFO "objsize",
	       "size of one object"),
	COLUMN(2209, slabs, "SLABS", COUNT, GAUGE, get_slabs, 4, SLABINFO "num_slabs", "slabs"),
	COLUMN(2210, active_slabs, "ACTIVESLABS", COUNT, GAUGE, get_active_slabs, 7, SLABINFO "active_slabs",
	       "slabs with objects in use"),
	COLUMN(2211, objects_per_slab, "OBJ/SLAB", COUNT, GAUGE, get_objects_per_slab, 6, SLABINFO "objperslab",
	       "objects in one slab"),
	COLUMN(2212, pages_per_slab, "PAGES/SLAB", PAGES, GAUGE, get_pages_per_slab, 7, SLABINFO "pagesperslab",
	       "size of one slab"),
	COLUMN(2213, idle_bytes, "IDLE", BYTES, GAUGE, get_idle, 5, SLABINFO,
	       "room for objects that is unused"),
	COLUMN(2214, reclaimable, "SHRINKS", TEXT, LABEL, get_reclaimable, 2,
	       "/sys/kernel/slab/*/reclaim_account",
	       "whether its memory is given back when programs want it"),
};

const struct entity entity_slab = {
	.name = "slab",
	.help = "a cache of kernel objects",
	COLUMNS(slab_columns),
	.shown = "name,bytes,total_pct,growth_bytes_per_s,growth_objects_per_s,active_objects,objects,active_pct,object_bytes,"
		 "slabs,objects_per_slab,idle_bytes,reclaimable",
	.sort = "bytes,name",
};

/* ---- collecting ---- */

static int slab_open(struct host *h, const struct view_wanted *wanted, const void *options, void **ret_state,
		     struct note *note)
{
	const struct slab_view_options *o = options;
	struct slab_state *s = calloc(1, sizeof *s);

	if (!s)
		return note_set(note, -ENOMEM, "out of memory");
	s->host = h;
	s->all = o && o->all;
	s->flags_wanted = view_wants_named(wanted, "reclaimable");
	s->page_bytes = page_bytes_read(h, &s->scratch);
	*ret_state = s;
	return 0;
}

static void slab_close(void *state)
{
	struct slab_state *s = state;

	vec_free(&s->now);
	vec_free(&s->rows);
	vec_free(&s->old_rows);
	buf_deinit(&s->scratch);
	free(s);
}

/* What the whole is, is no secret. */
static int cannot(struct slab_state *s, enum presence presence, struct note *note)
{
	struct meminfo m;

	meminfo_read(s->host, &s->scratch, &m);
	reading all = reading_sum(m.slab_reclaimable_bytes, m.slab_unreclaimable_bytes);
	const char *why = presence == DENIED	     ? "needs root" :
			  host_is_live(s->host) ? "this kernel has none" :
						  "the capture does not hold it";
	if (!reading_ok(all))
		return note_set(note, -EACCES, "/proc/slabinfo cannot be read: %s", why);
	return note_set(note, -EACCES, "/proc/slabinfo cannot be read: %s (all caches together take %s)", why,
			bytes_text((double)all).text);
}

/* Caches stand in the same order in each look, but for those that came and went. */
static const struct slab_row *row_before(const struct slab_state *s, const char *name, size_t hint)
{
	for (size_t i = 0; i < s->old_rows.n; i++) {
		const struct slab_row *row = &s->old_rows.v[(hint + i) % s->old_rows.n];

		if (strcmp(row->slab.name, name) == 0)
			return row;
	}
	return NULL;
}

static void make_row(struct slab_state *s, const struct slab *slab, size_t at, struct slab_row *row)
{
	const struct slab_row *old = s->span.since_boot ? NULL : row_before(s, slab->name, at);
	uint64_t pages;

	row->slab = *slab;
	row->bytes = __builtin_mul_overflow(slab->slabs, slab->pages_per_slab, &pages) ?
			     READING_MALFORMED :
			     pages_in_bytes(pages, s->page_bytes);
	row->byte_growth = row->object_growth = NAN;
	if (!s->span.since_boot) { /* a cache that is new grew from nothing */
		row->byte_growth = (reading_value(row->bytes) - (old ? reading_value(old->bytes) : 0)) / s->span.seconds;
		row->object_growth = ((double)slab->active_objects - (old ? (double)old->slab.active_objects : 0)) /
				     s->span.seconds;
	}
	row->reclaimable = old ? old->reclaimable : READING_ABSENT;
	if (!old && s->flags_wanted)
		row->reclaimable = slab_reclaimable_read(s->host, slab->name, &s->scratch);
}

static int slab_look(void *state, struct note *note)
{
	struct slab_state *s = state;
	__typeof__(s->rows) old = s->old_rows;
	enum presence presence;
	double total = 0;

	view_span_next(host_time(s->host), &s->last, &s->span);
	s->old_rows = s->rows;
	s->rows = old;
	s->rows.n = 0;
	if (slabs_read(s->host, &s->scratch, &s->now, &presence) < 0)
		return note_set(note, -ENOMEM, "out of memory");
	if (presence != PRESENT)
		return cannot(s, presence, note);
	vec_each(slab, &s->now) {
		struct slab_row *row = vec_push(&s->rows);

		if (!row)
			return note_set(note, -ENOMEM, "out of memory");
		make_row(s, slab, s->rows.n - 1, row);
		total += (double)reading_or(row->bytes, 0);
	}
	vec_each(row, &s->rows)
		row->total_bytes = total;
	return 0;
}

static int slab_rows(void *state, row_vec *ret)
{
	struct slab_state *s = state;
	int r = 0;

	vec_each(row, &s->rows)
		if (s->all || row->bytes > 0 || row->byte_growth < 0)
			r = r < 0 ? r : row_push(ret, row);
	return r;
}

struct slab_overview slab_overview(void *state)
{
	struct slab_state *s = state;
	struct slab_overview o = { .caches = s->rows.n };

	vec_each(row, &s->rows) {
		double bytes = (double)reading_or(row->bytes, 0);

		o.bytes += bytes;
		o.wasted_bytes += idle_bytes(row);
		if (row->reclaimable == 1)
			o.reclaimable_bytes += bytes;
		else if (!reading_ok(row->reclaimable) && bytes > 0)
			o.reclaimable_bytes = NAN;
		if (bytes > 0 && (!o.largest || bytes > (double)o.largest->bytes))
			o.largest = row;
		if (row->byte_growth > 0 && (!o.fastest || row->byte_growth > o.fastest->byte_growth))
			o.fastest = row;
	}
	return o;
}

static const struct view_span *slab_span(const void *state)
{
	return &((const struct slab_state *)state)->span;
}

static const struct view_section sections[] = {
	{ .name = "slabs", .entity = &entity_slab, .rows = slab_rows },
};

const struct view view_slab = {
	SECTIONS(sections), .open = slab_open, .look = slab_look, .close = slab_close, .span = slab_span,
	.over_lives = true, /* nothing is averaged since boot: growth is known from the second look on */
};
