#include "source/memory/zone.h"

#include <errno.h>

const struct field zone_fields[] = {
#define ROW(...) FIELD_ROW(struct zone, __VA_ARGS__)
	ZONE_FIELDS(ROW)
#undef ROW
};
const size_t zone_nfields = sizeof zone_fields / sizeof zone_fields[0];

/* "Node 0, zone   Normal"; what follows the name stays in *line. */
static bool parse_heading(struct span *line, uint32_t *ret_node, struct span *ret_name)
{
	struct span word, number;
	uint64_t node;

	if (!span_word(line, &word) || !span_is(word, "Node") || !span_word(line, &number) || number.n < 2 ||
	    number.p[number.n - 1] != ',')
		return false;
	number.n--;
	if (!span_u64(number, &node) || node > UINT32_MAX)
		return false;
	if (!span_word(line, &word) || !span_is(word, "zone") || !span_word(line, ret_name))
		return false;
	*ret_node = (uint32_t)node;
	return true;
}

/* "(0, 3019, 10955)" */
static void parse_protection(struct span list, struct zone *ret)
{
	ret->nprotection = 0;
	for (size_t i = 0; i < list.n && ret->nprotection < ZONE_MAX_PROTECTION;) {
		size_t from = i;
		uint64_t v;

		while (i < list.n && list.p[i] >= '0' && list.p[i] <= '9')
			i++;
		if (i == from) {
			i++;
			continue;
		}
		if (!span_u64((struct span){ list.p + from, i - from }, &v) || !reading_ok(v))
			return;
		ret->protection[ret->nprotection++] = v;
	}
}

/* Lists of each CPU ("count:") add up; the first tells that there are such. */
static void add_per_cpu(struct span line, struct zone *ret)
{
	uint64_t v, sum = reading_or(ret->per_cpu, 0);

	if (ret->per_cpu == READING_MALFORMED)
		return;
	if (!span_next_u64(&line, &v) || __builtin_add_overflow(sum, v, &sum) || !reading_ok(sum))
		sum = READING_MALFORMED;
	ret->per_cpu = sum;
}

static void parse_field(struct span name, struct span line, struct zone *ret)
{
	for (size_t i = 0; i < zone_nfields; i++) {
		uint64_t v;

		if (!span_is(name, zone_fields[i].kernel_name))
			continue;
		*field_at(&zone_fields[i], ret) = span_next_u64(&line, &v) && reading_ok(v) ? v : READING_MALFORMED;
		return;
	}
}

static void parse_line(struct span line, struct zone *ret)
{
	struct span name;

	if (!span_word(&line, &name))
		return;
	/* "pages free 3840" begins a zone's own numbers. */
	if (span_is(name, "pages") && !span_word(&line, &name))
		return;
	/* Most lines are statistics that /proc/vmstat sums up. */
	if (span_starts(name, "nr_") || span_starts(name, "workingset_") || span_starts(name, "pg") ||
	    span_starts(name, "numa_"))
		return;
	if (span_is(name, "protection:"))
		parse_protection(line, ret);
	else if (span_is(name, "count:"))
		add_per_cpu(line, ret);
	else
		parse_field(name, line, ret);
}

static struct zone *push_zone(zone_vec *zones, uint32_t node, struct span name)
{
	struct zone *zone = vec_push(zones);

	if (!zone)
		return NULL;
	fields_missing(zone_fields, zone_nfields, READING_ABSENT, zone);
	zone->per_cpu = READING_ABSENT;
	zone->node = node;
	span_copy(name, zone->name, sizeof zone->name);
	return zone;
}

int zones_parse(struct span text, zone_vec *ret)
{
	struct zone *zone = NULL;
	struct span line;

	ret->n = 0;
	while (span_line(&text, &line)) {
		struct span rest = line, name;
		uint32_t node;

		if (span_starts(line, "Node ")) {
			if (!parse_heading(&rest, &node, &name))
				zone = NULL; /* what follows is nobody's */
			else if (!(zone = push_zone(ret, node, name)))
				return -ENOMEM;
		} else if (zone) {
			parse_line(line, zone);
		}
	}
	return ret->n ? 0 : -EBADMSG;
}

int zones_read(struct host *h, struct buf *scratch, zone_vec *ret, enum presence *ret_presence)
{
	int r = host_read(h, "/proc/zoneinfo", scratch);

	ret->n = 0;
	if (r == 0)
		r = zones_parse(buf_span(scratch), ret);
	*ret_presence = presence_from_errno(r);
	return r == -ENOMEM ? r : 0;
}

static bool parse_blocks(struct span line, struct buddy *ret)
{
	uint64_t blocks, sum = 0;
	struct span word;

	while (span_word(&line, &word)) {
		if (ret->orders == BUDDY_MAX_ORDERS || !span_u64(word, &blocks) || blocks > UINT64_MAX >> BUDDY_MAX_ORDERS)
			return false;
		if (__builtin_add_overflow(sum, blocks << ret->orders, &sum) || !reading_ok(sum))
			return false;
		ret->block[ret->orders++] = blocks;
	}
	return ret->orders > 0;
}

int buddies_parse(struct span text, buddy_vec *ret)
{
	struct span line, name;

	ret->n = 0;
	while (span_line(&text, &line)) {
		struct buddy parsed = { .orders = 0 }, *buddy;

		if (!parse_heading(&line, &parsed.node, &name) || !parse_blocks(line, &parsed))
			continue;
		span_copy(name, parsed.zone, sizeof parsed.zone);
		if (!(buddy = vec_push(ret)))
			return -ENOMEM;
		*buddy = parsed;
	}
	return ret->n ? 0 : -EBADMSG;
}

int buddies_read(struct host *h, struct buf *scratch, buddy_vec *ret, enum presence *ret_presence)
{
	int r = host_read(h, "/proc/buddyinfo", scratch);

	ret->n = 0;
	if (r == 0)
		r = buddies_parse(buf_span(scratch), ret);
	*ret_presence = presence_from_errno(r);
	return r == -ENOMEM ? r : 0;
}

uint64_t buddy_pages(const struct buddy *b)
{
	uint64_t pages = 0;

	for (unsigned k = 0; k < b->orders && k < BUDDY_MAX_ORDERS; k++)
		pages += b->block[k] << k;
	return pages;
}

double buddy_unusable(const struct buddy *b, unsigned order)
{
	uint64_t all = buddy_pages(b), usable = 0;

	for (unsigned k = order; k < b->orders && k < BUDDY_MAX_ORDERS; k++)
		usable += b->block[k] << k;
	return all ? (double)(all - usable) / (double)all : NAN;
}
