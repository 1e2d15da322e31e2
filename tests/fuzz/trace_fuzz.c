/* Records of traced calls, whose memory is the target's: any bytes at all; and filters. */
#include <stdlib.h>

#include "dig/trace/decode.h"
#include "dig/trace/trace_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span path_of(void *arg, int pid, int fd)
{
	(void)arg;
	(void)pid;
	return fd & 1 ? SPAN("/a<b\n") : SPAN("");
}

/* The record as the input has it, with a call number that exists and the true size, for most of what is random would end
 * at the first look. */
static void decode(struct span bytes)
{
	struct decode_options o = { .excerpt_bytes = 32, .fd_path = path_of };
	struct trace_record *r = (void *)bytes.p;
	struct buf out = { 0 };
	struct trace_event e;
	size_t end[TRACE_ARGUMENTS];
	unsigned n;

	if (bytes.n >= sizeof *r) {
		r->size = (uint32_t)(bytes.n - sizeof *r);
		r->type %= 3;
	}
	if (trace_event_parse(bytes, &e) == 0) {
		int failed = decode_name(&e, &out) + decode_arguments(&e, &o, &out, end, &n) + decode_result(&e, &o, &out) +
			     decode_signal_record(&e, &out) + decode_exit(&e, &out);
		for (size_t i = 0; !failed && i < out.n; i++)
			if ((unsigned char)out.data[i] < 0x20 || (unsigned char)out.data[i] >= 0x7f)
				abort(); /* it is printed as it is */
	}
	buf_deinit(&out);
}

static void filter(struct span text)
{
	static struct trace_filter f;
	int r;

	trace_filter_init(&f);
	r = trace_filter_calls(&f, text, NULL);
	r += trace_filter_errors(&f, text, NULL);
	r += trace_filter_path(&f, text, NULL);
	r += trace_filter_fd(&f, text, NULL);
	(void)r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	char *copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data + 1, size - 1);
	if (data[0] & 7)
		decode((struct span){ copy, size - 1 });
	else
		filter((struct span){ copy, size - 1 });
	free(copy);
	return 0;
}
