#include "view/memory_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "source/memory/page_size.h"

struct counts {
	struct vmstat vmstat;
	struct psi_line stalls;
	node_memory_vec nodes;
};

struct memory_state {
	struct host *host;
	struct buf scratch;
	struct host_time last;
	struct view_span span;
	/* Which tables were asked for. */
	bool of_memory, of_parts, of_zones, of_free, of_nodes, of_huge, of_swap, of_zram;
	struct counts now, before;
	struct memory_row row;
	VEC(struct memory_part) parts;
	zone_vec zones;
	buddy_vec buddies;
	VEC(struct zone_row) zone_rows;
	VEC(struct free_row) free_rows;
	VEC(struct node_row) node_rows;
	huge_pool_vec pools;
	VEC(struct huge_row) huge_rows;
	swap_vec swaps;
	zram_vec zrams;
	enum presence zones_presence, buddies_presence, nodes_presence, huge_presence, swap_presence, zram_presence;
};

static const char *missing_reason(const struct host *h, enum presence presence)
{
	if (presence == DENIED)
		return "needs root";
	if (presence == MALFORMED)
		return "it is not as expected";
	return host_is_live(h) ? "this kernel has none" : "the capture does not hold it";
}

static bool wants_any(const struct view_wanted *wanted, const struct entity *e)
{
	vec_each(c, &wanted->columns)
		if (*c >= e->columns && *c < e->columns + e->ncolumns)
			return true;
	return false;
}

static int memory_open(struct host *h, const struct view_wanted *wanted, const void *options, void **ret_state,
		       struct note *note)
{
	struct memory_state *s = calloc(1, sizeof *s);

	(void)options;
	if (!s)
		return note_set(note, -ENOMEM, "out of memory");
	s->host = h;
	s->of_memory = wants_any(wanted, &entity_memory);
	s->of_parts = wants_any(wanted, &entity_memory_part);
	s->of_zones = wants_any(wanted, &entity_zone);
	s->of_free = wants_any(wanted, &entity_free_block);
	s->of_nodes = wants_any(wanted, &entity_numa_node);
	s->of_huge = wants_any(wanted, &entity_huge_pool);
	s->of_swap = wants_any(wanted, &entity_swap_device);
	s->of_zram = wants_any(wanted, &entity_zram);
	s->row.page_bytes = page_bytes_read(h, &s->scratch);
	*ret_state = s;
	return 0;
}

static void memory_close(void *state)
{
	struct memory_state *s = state;

	vec_free(&s->now.nodes);
	vec_free(&s->before.nodes);
	vec_free(&s->parts);
	vec_free(&s->zones);
	vec_free(&s->buddies);
	vec_free(&s->zone_rows);
	vec_free(&s->free_rows);
	vec_free(&s->node_rows);
	vec_free(&s->pools);
	vec_free(&s->huge_rows);
	vec_free(&s->swaps);
	vec_free(&s->zrams);
	buf_deinit(&s->scratch);
	free(s);
}

/* ---- the host ---- */

static reading growth(const struct memory_state *s, reading before, reading now)
{
	return reading_delta(s->span.since_boot ? 0 : before, now);
}

static void grow_fields(const struct memory_state *s, const struct field *fields, size_t n, const void *before,
			const void *now, void *ret)
{
	for (size_t i = 0; i < n; i++) {
		const struct field *f = &fields[i];
		reading is = *field_at(f, (void *)now);

		*field_at(f, ret) = f->kind == COUNTER ? growth(s, *field_at(f, (void *)before), is) : is;
	}
}

static reading read_overcommit(struct memory_state *s)
{
	int r = host_read(s->host, "/proc/sys/vm/overcommit_memory", &s->scratch);
	uint64_t mode;

	if (r < 0)
		return reading_from_errno(r);
	return span_u64(span_trim(buf_span(&s->scratch)), &mode) && mode <= 2 ? mode : READING_MALFORMED;
}

static int look_at_host(struct memory_state *s, struct note *note)
{
	struct memory_row *r = &s->row;

	meminfo_read(s->host, &s->scratch, &r->memory);
	if (r->memory.presence != PRESENT)
		return note_set(note, -ENOENT, "/proc/meminfo cannot be read: is /proc mounted%s?",
				host_is_live(s->host) ? "" : ", and was it captured");
	vmstat_read(s->host, &s->scratch, &s->now.vmstat);
	psi_line_read(s->host, "/proc/pressure/memory", &s->scratch, &s->now.stalls);
	grow_fields(s, vmstat_fields, vmstat_nfields, &s->before.vmstat, &s->now.vmstat, &r->vmstat);
	r->stalls.some_ns = growth(s, s->before.stalls.some_ns, s->now.stalls.some_ns);
	r->stalls.full_ns = growth(s, s->before.stalls.full_ns, s->now.stalls.full_ns);
	r->seconds = s->span.seconds;
	if (!s->of_memory)
		return 0;
	r->overcommit_mode = read_overcommit(s);
	thp_read(s->host, &s->scratch, &r->thp);
	zswap_read(s->host, &s->scratch, &r->zswap);
	return 0;
}

/* ---- what it is made of ---- */

static int push_part(struct memory_state *s, const char *name, const char *state, reading bytes, const char *what)
{
	struct memory_part *part;

	if (!reading_ok(bytes))
		return 0; /* this kernel does not count it: it is in "other" */
	part = vec_push(&s->parts);
	if (!part)
		return -ENOMEM;
	*part = (struct memory_part){ name, state, what, bytes, s->row.memory.total_bytes };
	return 0;
}

/* The kernel's counters overlap in two places: vmalloc has the stacks in it (since 4.14, where they
 * are mapped so), and pages in swap and memory alike may be mapped. What is left is what nobody
 * counts: pages that drivers took, firmware, balloons. */
static int make_parts(struct memory_state *s)
{
	const struct meminfo *m = &s->row.memory;
	reading tables = reading_sum(m->page_tables_bytes, reading_or(m->secondary_page_tables_bytes, 0));
	reading vmalloc = memory_less(m->vmalloc_bytes, m->kernel_stack_bytes), file_cache = memory_file_cache_bytes(&s->row);
	reading zsmalloc = pages_in_bytes(s->row.vmstat.zsmalloc, s->row.page_bytes);
	const struct memory_part parts[] = {
		{ "processes", "used", "heaps, stacks and private copies (AnonPages)", m->anon_bytes, 0 },
		{ "shared", "used", "shared memory and tmpfs (Shmem): only swapping frees it", m->shmem_bytes, 0 },
		{ "huge pages", "used", "pools set aside, used or not (Hugetlb)", m->hugetlb_bytes, 0 },
		{ "kernel objects", "used", "slab that does not shrink (SUnreclaim); osprey slab",
		  m->slab_unreclaimable_bytes, 0 },
		{ "kernel stacks", "used", "one for each task (KernelStack)", m->kernel_stack_bytes, 0 },
		{ "page tables", "used", "of processes and guests (PageTables, SecPageTables)", tables, 0 },
		{ "vmalloc", "used", "kernel memory mapped page by page, without stacks (VmallocUsed)", vmalloc, 0 },
		{ "per-CPU", "used", "kernel data kept for each CPU (Percpu)", m->percpu_bytes, 0 },
		{ "compressed", "used", "swapped pages kept in memory by zram, zswap (nr_zspages)", zsmalloc, 0 },
		{ "file cache", "cache", "pages of files (Cached less Shmem): given back when wanted", file_cache, 0 },
		{ "buffers", "cache", "pages of block devices (Buffers): given back", m->buffers_bytes, 0 },
		{ "kernel caches", "cache", "slab that shrinks (SReclaimable): mostly given back",
		  m->slab_reclaimable_bytes, 0 },
		{ "free", "free", "nobody uses it (MemFree)", m->free_bytes, 0 },
	};
	/* Without one of these "other" would tell nothing. */
	bool known = reading_ok(m->anon_bytes) && reading_ok(file_cache) && reading_ok(m->free_bytes);
	uint64_t sum = 0;
	int r = 0;

	s->parts.n = 0;
	for (size_t i = 0; r == 0 && i < sizeof parts / sizeof parts[0]; i++) {
		sum += reading_or(parts[i].bytes, 0);
		r = push_part(s, parts[i].name, parts[i].state, parts[i].bytes, parts[i].what);
	}
	if (r == 0 && known && sum <= m->total_bytes)
		r = push_part(s, "other", "used", m->total_bytes - sum, "counted nowhere: drivers, firmware, ballooned");
	return r;
}

/* ---- zones ---- */

static const struct buddy *buddy_of(const struct memory_state *s, const struct zone *z)
{
	vec_each(b, &s->buddies)
		if (b->node == z->node && strcmp(b->zone, z->name) == 0)
			return b;
	return NULL;
}

static unsigned huge_order(const struct memory_state *s)
{
	reading huge = reading_ok(s->row.thp.page_bytes) ? s->row.thp.page_bytes : s->row.memory.huge_page_bytes;
	unsigned order = 0;

	while (reading_ok(huge) && order < 63 && s->row.page_bytes << order < huge)
		order++;
	return order;
}

static void protection_text(const struct zone *z, char *ret, size_t size)
{
	size_t n = 0;

	ret[0] = '\0';
	for (uint32_t i = 0; i < z->nprotection && n < size; i++)
		n += (size_t)snprintf(ret + n, size - n, i ? " %llu" : "%llu", (unsigned long long)z->protection[i]);
}

/* A zone that manages nothing (Movable, Device on most hosts) is none. */
static int make_zone_rows(struct memory_state *s)
{
	unsigned order = huge_order(s);

	s->zone_rows.n = 0;
	vec_each(z, &s->zones) {
		const struct buddy *b = buddy_of(s, z);
		struct zone_row *row;

		if (z->managed == 0)
			continue;
		if (!(row = vec_push(&s->zone_rows)))
			return -ENOMEM;
		*row = (struct zone_row){ .zone = *z, .page_bytes = s->row.page_bytes, .unusable_pct = NAN };
		if (b && order)
			row->unusable_pct = 100 * buddy_unusable(b, order);
		protection_text(z, row->protection, sizeof row->protection);
	}
	return 0;
}

static int make_free_rows(struct memory_state *s)
{
	s->free_rows.n = 0;
	vec_each(b, &s->buddies)
		for (uint32_t order = 0; order < b->orders; order++) {
			struct free_row *row = vec_push(&s->free_rows);

			if (!row)
				return -ENOMEM;
			*row = (struct free_row){ b->node, order, b->zone, b->block[order], s->row.page_bytes,
						  100 * buddy_unusable(b, order) };
		}
	return 0;
}

static int look_at_zones(struct memory_state *s)
{
	int r = 0;

	if (s->of_zones && !s->of_memory)
		thp_read(s->host, &s->scratch, &s->row.thp); /* for its size */
	if (s->of_zones)
		r = zones_read(s->host, &s->scratch, &s->zones, &s->zones_presence);
	if (r == 0 && (s->of_zones || s->of_free))
		r = buddies_read(s->host, &s->scratch, &s->buddies, &s->buddies_presence);
	if (r == 0 && s->of_zones)
		r = make_zone_rows(s);
	return r == 0 && s->of_free ? make_free_rows(s) : r;
}

/* ---- nodes, huge pages, swap ---- */

static const struct numastat *stat_before(const struct memory_state *s, uint32_t node)
{
	static const struct numastat none; /* since boot, or it has come online */

	vec_each(n, &s->before.nodes)
		if (n->node == node)
			return &n->numastat;
	return &none;
}

static int look_at_nodes(struct memory_state *s)
{
	int r = node_memory_read(s->host, &s->scratch, &s->now.nodes, &s->nodes_presence);

	s->node_rows.n = 0;
	if (r < 0)
		return r;
	vec_each(n, &s->now.nodes) {
		struct node_row *row = vec_push(&s->node_rows);

		if (!row)
			return -ENOMEM;
		row->node = *n;
		row->seconds = s->span.seconds;
		grow_fields(s, numastat_fields, numastat_nfields, stat_before(s, n->node), &n->numastat, &row->growth);
	}
	return 0;
}

static int look_at_huge_pages(struct memory_state *s)
{
	int r = huge_pools_read(s->host, &s->scratch, &s->pools, &s->huge_presence);

	s->huge_rows.n = 0;
	if (r < 0)
		return r;
	vec_each(p, &s->pools) {
		struct huge_row *row = vec_push(&s->huge_rows);

		if (!row)
			return -ENOMEM;
		row->pool = *p;
		snprintf(row->node, sizeof row->node, p->node < 0 ? "all" : "%d", p->node);
	}
	return 0;
}

static int look_at_tables(struct memory_state *s)
{
	int r = s->of_parts ? make_parts(s) : 0;

	if (r == 0)
		r = look_at_zones(s);
	if (r == 0 && s->of_nodes)
		r = look_at_nodes(s);
	if (r == 0 && s->of_huge)
		r = look_at_huge_pages(s);
	if (r == 0 && s->of_swap)
		r = swaps_read(s->host, &s->scratch, &s->swaps, &s->swap_presence);
	if (r == 0 && s->of_zram)
		r = zrams_read(s->host, &s->scratch, &s->zrams, &s->zram_presence);
	return r;
}

/* Which asked-for table cannot be read, when no other was asked for: an empty table would say
 * that there is nothing. */
static int only_table_missing(const struct memory_state *s, struct note *note)
{
	const struct {
		bool asked;
		enum presence presence;
		const char *path;
	} tables[] = {
		{ s->of_zones, s->zones_presence, "/proc/zoneinfo" },
		{ s->of_free, s->buddies_presence, "/proc/buddyinfo" },
		{ s->of_nodes, s->nodes_presence, "/sys/devices/system/node" },
		{ s->of_huge, s->huge_presence, "/sys/kernel/mm/hugepages" },
		{ s->of_swap, s->swap_presence, "/proc/swaps" },
		{ s->of_zram, s->zram_presence, "/sys/block" },
	};

	for (size_t i = 0; !s->of_memory && i < sizeof tables / sizeof tables[0]; i++)
		if (tables[i].asked && tables[i].presence != PRESENT)
			return note_set(note, -ENOENT, "%s cannot be read: %s", tables[i].path,
					missing_reason(s->host, tables[i].presence));
	return 0;
}

static int memory_look(void *state, struct note *note)
{
	struct memory_state *s = state;
	struct counts old = s->before;
	int r;

	s->before = s->now;
	s->now = old;
	view_span_next(host_time(s->host), &s->last, &s->span);
	r = look_at_host(s, note);
	if (r < 0)
		return r;
	r = look_at_tables(s);
	return r < 0 ? note_set(note, r, "out of memory") : only_table_missing(s, note);
}

/* ---- sections ---- */

#define ROWS(name, vec)                                                 \
	static int name##_rows(void *state, row_vec *ret)               \
	{                                                               \
		struct memory_state *s = state;                         \
		int r = 0;                                              \
									\
		vec_each(row, &s->vec)                                  \
			r = r < 0 ? r : row_push(ret, row);             \
		return r;                                               \
	}
ROWS(part, parts)
ROWS(zone, zone_rows)
ROWS(free, free_rows)
ROWS(node, node_rows)
ROWS(huge, huge_rows)
ROWS(swap, swaps)
ROWS(zram, zrams)

static int host_rows(void *state, row_vec *ret)
{
	return row_push(ret, &((struct memory_state *)state)->row);
}

/* Among other tables it is for JSON; in text it comes on request, or alone as lines. */
static bool for_lines(void *state)
{
	(void)state;
	return true;
}
static bool one_node(void *state)
{
	return ((struct memory_state *)state)->node_rows.n < 2;
}
static bool no_huge_pages(void *state)
{
	vec_each(p, &((struct memory_state *)state)->pools)
		if (p->pages || (reading_ok(p->overcommit) && p->overcommit))
			return false;
	return true;
}
static bool no_zones(void *state)
{
	return ((struct memory_state *)state)->zone_rows.n == 0;
}
static bool no_swap(void *state)
{
	return ((struct memory_state *)state)->swaps.n == 0;
}
static bool no_zram(void *state)
{
	return ((struct memory_state *)state)->zrams.n == 0;
}

#define SECTION_VM                                                                                              \
	{ .name = "vm", .title = "paging and reclaim", .entity = &entity_vm, .single = true, .rows = host_rows, \
	  .idle = for_lines }
#define SECTION_TABLES(on_request_)                                                                                     \
	{ .name = "memory", .entity = &entity_memory, .single = true, .rows = host_rows, .on_request = (on_request_) }, \
	{ .name = "parts", .title = "what it is made of", .entity = &entity_memory_part, .rows = part_rows,             \
	  .on_request = (on_request_) },                                                                                \
	{ .name = "swap", .title = "swap", .entity = &entity_swap_device, .rows = swap_rows, .idle = no_swap,           \
	  .on_request = (on_request_) },                                                                                \
	{ .name = "zram", .title = "compressed memory devices", .entity = &entity_zram, .rows = zram_rows,              \
	  .idle = no_zram, .on_request = (on_request_) },                                                               \
	{ .name = "huge", .title = "huge pages", .entity = &entity_huge_pool, .rows = huge_rows, .idle = no_huge_pages, \
	  .on_request = (on_request_) },                                                                                \
	{ .name = "zones", .title = "zones", .entity = &entity_zone, .rows = zone_rows, .idle = no_zones,               \
	  .on_request = (on_request_) },                                                                                \
	{ .name = "nodes", .title = "NUMA nodes", .entity = &entity_numa_node, .rows = node_rows, .idle = one_node,     \
	  .on_request = (on_request_) }
#define SECTION_FREE \
	{ .name = "free", .title = "free blocks", .entity = &entity_free_block, .rows = free_rows, .on_request = true }

static const struct view_section sections[] = { SECTION_TABLES(false), SECTION_VM, SECTION_FREE };
static const struct view_section line_sections[] = { SECTION_VM, SECTION_TABLES(true), SECTION_FREE };

static const struct view_span *memory_span(const void *state)
{
	return &((const struct memory_state *)state)->span;
}

const struct view view_memory = {
	SECTIONS(sections), .open = memory_open, .look = memory_look, .close = memory_close, .span = memory_span,
};
const struct view view_memory_lines = {
	SECTIONS(line_sections), .open = memory_open, .look = memory_look, .close = memory_close, .span = memory_span,
};

struct memory_overview memory_overview(void *state)
{
	struct memory_state *s = state;
	struct memory_overview o = { .row = &s->row };

	if (s->zones_presence != PRESENT)
		o.no_zones = missing_reason(s->host, s->zones_presence);

	vec_each(z, &s->zone_rows)
		if (!isnan(zone_free_of_min(z)) &&
		    (!o.nearest || zone_free_of_min(z) < zone_free_of_min(o.nearest)))
			o.nearest = z;
	return o;
}
