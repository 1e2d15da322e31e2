#include "source/memory/node_memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

const struct field node_memory_fields[] = {
#define ROW(...) FIELD_ROW(struct node_memory, __VA_ARGS__)
	NODE_MEMORY_FIELDS(ROW)
#undef ROW
};
const size_t node_memory_nfields = sizeof node_memory_fields / sizeof node_memory_fields[0];

const struct field numastat_fields[] = {
#define ROW(...) FIELD_ROW(struct numastat, __VA_ARGS__)
	NUMASTAT_FIELDS(ROW)
#undef ROW
};
const size_t numastat_nfields = sizeof numastat_fields / sizeof numastat_fields[0];

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int node_ids_parse(struct span names, node_id_vec *ret)
{
	struct span name;

	ret->n = 0;
	while (span_line(&names, &name)) {
		uint64_t id;
		uint32_t *place;

		if (!span_starts(name, "node") || !span_u64((struct span){ name.p + 4, name.n - 4 }, &id) ||
		    id > UINT16_MAX)
			continue;
		if (!(place = vec_push(ret)))
			return -ENOMEM;
		*place = (uint32_t)id;
	}
	if (ret->n)
		qsort(ret->v, ret->n, sizeof *ret->v, compare_ids);
	return 0;
}

int node_ids_read(struct host *h, struct buf *scratch, node_id_vec *ret)
{
	int r = host_list(h, "/sys/devices/system/node", scratch);

	ret->n = 0;
	return r < 0 ? r : node_ids_parse(buf_span(scratch), ret);
}

static reading parse_value(struct span line)
{
	struct span unit;
	uint64_t v;

	if (!span_next_u64(&line, &v))
		return READING_MALFORMED;
	if (span_word(&line, &unit) && span_is(unit, "kB") && __builtin_mul_overflow(v, 1024, &v))
		return READING_MALFORMED;
	return reading_ok(v) ? v : READING_MALFORMED;
}

void node_meminfo_parse(struct span text, struct node_memory *ret)
{
	struct span line, word, name;

	fields_missing(node_memory_fields, node_memory_nfields, READING_ABSENT, ret);
	while (span_line(&text, &line)) {
		if (!span_word(&line, &word) || !span_is(word, "Node") || !span_word(&line, &word) ||
		    !span_word(&line, &name) || name.p[name.n - 1] != ':')
			continue;
		name.n--;
		for (size_t i = 0; i < node_memory_nfields; i++)
			if (span_is(name, node_memory_fields[i].kernel_name))
				*field_at(&node_memory_fields[i], ret) = parse_value(line);
	}
}

void numastat_parse(struct span text, struct numastat *ret)
{
	fields_parse(text, numastat_fields, numastat_nfields, 1, ret);
}

static int read_of(struct host *h, uint32_t node, const char *file, struct buf *scratch)
{
	char path[96];

	snprintf(path, sizeof path, "/sys/devices/system/node/node%u/%s", node, file);
	return host_read(h, path, scratch);
}

static void read_text(struct host *h, uint32_t node, const char *file, struct buf *scratch, char *ret, size_t size)
{
	ret[0] = '\0';
	if (read_of(h, node, file, scratch) == 0)
		span_copy(span_trim(buf_span(scratch)), ret, size);
}

static void read_node(struct host *h, struct buf *scratch, struct node_memory *n)
{
	int r = read_of(h, n->node, "meminfo", scratch);

	if (r < 0)
		fields_missing(node_memory_fields, node_memory_nfields, reading_from_errno(r), n);
	else
		node_meminfo_parse(buf_span(scratch), n);
	r = read_of(h, n->node, "numastat", scratch);
	if (r < 0)
		fields_missing(numastat_fields, numastat_nfields, reading_from_errno(r), &n->numastat);
	else
		numastat_parse(buf_span(scratch), &n->numastat);
	read_text(h, n->node, "cpulist", scratch, n->cpus, sizeof n->cpus);
	read_text(h, n->node, "distance", scratch, n->distance, sizeof n->distance);
}

int node_memory_read(struct host *h, struct buf *scratch, node_memory_vec *ret, enum presence *ret_presence)
{
	node_id_vec ids = { 0 };
	int r = node_ids_read(h, scratch, &ids);

	ret->n = 0;
	*ret_presence = presence_from_errno(r);
	vec_each(id, &ids) {
		struct node_memory *n = vec_push(ret);

		if (!n) {
			r = -ENOMEM;
			break;
		}
		n->node = *id;
		read_node(h, scratch, n);
	}
	vec_free(&ids);
	return r == -ENOMEM ? r : 0;
}
