/* What comes with an event from a target: registers and bytes of its stack, any at all; and records of new mappings. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dig/image/mapping_watch.h"
#include "dig/stack/event_stack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void stack(const uint8_t *data, size_t size)
{
	static struct event_stacks *stacks;
	struct event_stack *copy = malloc(size + sizeof *copy);
	struct event_frames frames;

	if (!copy || (!stacks && event_stacks_new(&(struct symbolizer_options){ .no_lines = true }, &stacks) < 0))
		abort();
	memcpy(copy, data, size);
	if (size >= offsetof(struct event_stack, bytes) && (data[0] & 3)) {
		/* Most of what is random would end at the first look. */
		copy->kind = EVENT_STACK_COPY;
		copy->registers[17] = 0x33;
		copy->registers[16] = (uintptr_t)LLVMFuzzerTestOneInput + (copy->registers[16] & 0xffff);
		copy->from = copy->registers[19] & ~(uint64_t)1023;
	}
	event_stacks_user(stacks, getpid(), (struct span){ (const char *)copy, size }, &frames);
	for (size_t i = 0; i < frames.n; i++)
		if (!frames.frame[i].function || !frames.frame[i].module)
			abort();
	free(copy);
}

static void records(const uint8_t *data, size_t size)
{
	struct mapped_process p = { 0 };

	while (size >= 8) {
		struct mapping_event e;
		uint16_t n;

		memcpy(&n, data + 6, sizeof n);
		if (n < 8 || n > size)
			break;
		char *record = malloc(n);
		if (!record)
			abort();
		memcpy(record, data, n);
		if (mapping_event_parse((struct span){ record, n }, &e) == 0 && e.kind == MAPPING_EVENT_MAP) {
			if (strlen(e.mapping.name) >= n || mapping_put(&p, &e.mapping) < 0)
				abort();
		}
		free(record);
		data += n;
		size -= n;
	}
	for (size_t i = 0; i < p.mapping.n; i++)
		if (p.mapping.v[i].start >= p.mapping.v[i].end || (i && p.mapping.v[i].start < p.mapping.v[i - 1].end))
			abort();
	vec_free(&p.mapping);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] & 1)
		stack(data + 1, size - 1);
	else
		records(data + 1, size - 1);
	return 0;
}
