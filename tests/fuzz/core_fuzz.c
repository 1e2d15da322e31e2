/* What a core is made from: maps and smaps, and the area of extended registers. The first byte picks. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dig/core/core_mapping.h"
#include "dig/core/core_notes.h"
#include "dig/core/core_xstate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_map(const struct core_map *m)
{
	uint64_t at = 0;

	vec_each(one, &m->mapping) {
		assert(one->start < one->end && one->start >= at);
		at = one->end;
		assert(core_map_find(m, one->start) == one && core_map_find(m, one->end - 1) == one);
		for (unsigned filter = 0; filter < 0x200; filter += 0x33)
			(void)core_mapping_part(one, filter);
	}
}

static void maps(struct span text)
{
	cleanup(core_map_deinit) struct core_map m = { 0 }, again = { 0 };
	cleanup(buf_deinit) struct buf notes = { 0 };
	struct core_shared none = { 0 };
	struct core_process process = { .pid = 1 };

	if (core_map_parse(text, &m) < 0)
		return;
	check_map(&m);
	if (core_map_parse(text, &again) < 0 || core_notes(&process, &none, &m, &notes) < 0)
		abort();
	core_map_inherit(&again, &m);
	vec_each(one, &again.mapping)
		assert(!(one->flags & CORE_FLAGS_UNKNOWN));
}

static void registers(const uint8_t *data, size_t size)
{
	unsigned char out[XSTATE_STANDARD_SIZE];
	struct xstate_part layout[XSTATE_PARTS];

	if (size < sizeof layout)
		return;
	memcpy(layout, data, sizeof layout);
	assert(xstate_standard(data + sizeof layout, size - sizeof layout, layout, out) <= sizeof out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size && data[0] % 4 == 0)
		registers(data + 1, size - 1);
	else if (size)
		maps((struct span){ (const char *)data + 1, size - 1 });
	return 0;
}
