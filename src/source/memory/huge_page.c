#include "source/memory/huge_page.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "source/memory/node_memory.h"

const struct field huge_pool_fields[] = {
#define ROW(...) FIELD_ROW(struct huge_pool, __VA_ARGS__)
	HUGE_POOL_FIELDS(ROW)
#undef ROW
};
const size_t huge_pool_nfields = sizeof huge_pool_fields / sizeof huge_pool_fields[0];

bool huge_pool_name_parse(struct span name, uint64_t *ret_bytes)
{
	const size_t prefix = sizeof "hugepages-" - 1;
	uint64_t kib;

	if (!span_starts(name, "hugepages-") || name.n < prefix + 2 || memcmp(name.p + name.n - 2, "kB", 2) != 0)
		return false;
	if (!span_u64((struct span){ name.p + prefix, name.n - prefix - 2 }, &kib) || kib == 0 || kib > UINT64_MAX >> 11)
		return false;
	*ret_bytes = kib * 1024;
	return true;
}

bool sys_choice_parse(struct span text, char *ret, size_t size)
{
	struct span before, chosen;

	if (!span_until(&text, '[', &before) || !span_until(&text, ']', &chosen) || chosen.n == 0)
		return false;
	span_copy(chosen, ret, size);
	return true;
}

static reading read_number(struct host *h, const char *path, struct buf *scratch)
{
	int r = host_read(h, path, scratch);
	uint64_t v;

	if (r < 0)
		return reading_from_errno(r);
	return span_u64(span_trim(buf_span(scratch)), &v) && reading_ok(v) ? v : READING_MALFORMED;
}

static int read_pool(struct host *h, const char *directory, struct span name, int32_t node, struct buf *scratch,
		     huge_pool_vec *ret)
{
	uint64_t page_bytes;
	char path[160];

	if (!huge_pool_name_parse(name, &page_bytes))
		return 0;
	struct huge_pool *pool = vec_push(ret);
	if (!pool)
		return -ENOMEM;
	pool->node = node;
	pool->page_bytes = page_bytes;
	for (size_t i = 0; i < huge_pool_nfields; i++) {
		snprintf(path, sizeof path, "%s/%.*s/%s", directory, (int)name.n, name.p,
			 huge_pool_fields[i].kernel_name);
		*field_at(&huge_pool_fields[i], pool) = read_number(h, path, scratch);
	}
	return 0;
}

/* 0; -errno of the list. */
static int read_pools_of(struct host *h, const char *directory, int32_t node, struct buf *scratch,
			 huge_pool_vec *ret)
{
	cleanup(buf_deinit) struct buf names = { 0 };
	int r = host_list(h, directory, &names);
	struct span rest = buf_span(&names), name;

	while (r == 0 && span_line(&rest, &name))
		r = read_pool(h, directory, name, node, scratch, ret);
	return r;
}

int huge_pools_read(struct host *h, struct buf *scratch, huge_pool_vec *ret, enum presence *ret_presence)
{
	node_id_vec nodes = { 0 };
	char directory[96];
	int r;

	ret->n = 0;
	r = read_pools_of(h, "/sys/kernel/mm/hugepages", -1, scratch, ret);
	*ret_presence = presence_from_errno(r);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	r = node_ids_read(h, scratch, &nodes);
	vec_each(node, &nodes) {
		if (r < 0 || nodes.n < 2)
			break;
		snprintf(directory, sizeof directory, "/sys/devices/system/node/node%u/hugepages", *node);
		r = read_pools_of(h, directory, (int32_t)*node, scratch, ret);
	}
	vec_free(&nodes);
	return r == -ENOMEM ? r : 0;
}

#define THP_DIRECTORY "/sys/kernel/mm/transparent_hugepage/"

static int read_choice(struct host *h, const char *path, struct buf *scratch, char *ret, size_t size)
{
	int r = host_read(h, path, scratch);

	ret[0] = '\0';
	if (r < 0)
		return r;
	return sys_choice_parse(buf_span(scratch), ret, size) ? 0 : -EBADMSG;
}

void thp_read(struct host *h, struct buf *scratch, struct thp *ret)
{
	int r = read_choice(h, THP_DIRECTORY "enabled", scratch, ret->enabled, sizeof ret->enabled);

	ret->presence = presence_from_errno(r);
	(void)!read_choice(h, THP_DIRECTORY "defrag", scratch, ret->defrag, sizeof ret->defrag);
	(void)!read_choice(h, THP_DIRECTORY "shmem_enabled", scratch, ret->shmem, sizeof ret->shmem);
	ret->page_bytes = read_number(h, THP_DIRECTORY "hpage_pmd_size", scratch);
	ret->khugepaged_defrag = read_number(h, THP_DIRECTORY "khugepaged/defrag", scratch);
	ret->pages_collapsed = read_number(h, THP_DIRECTORY "khugepaged/pages_collapsed", scratch);
	ret->full_scans = read_number(h, THP_DIRECTORY "khugepaged/full_scans", scratch);
}
