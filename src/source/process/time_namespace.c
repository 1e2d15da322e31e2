#include "source/process/time_namespace.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* "monotonic   -5   0": seconds, which may be below 0, and nanoseconds, which are not. */
bool time_offsets_parse(struct span text, int64_t *ret_monotonic_ns)
{
	struct span line, name;
	int64_t s, ns, all;

	while (span_line(&text, &line)) {
		if (!span_word(&line, &name) || !span_is(name, "monotonic"))
			continue;
		if (!span_next_i64(&line, &s) || !span_next_i64(&line, &ns) || ns < 0 || ns >= (int64_t)NS_PER_S ||
		    __builtin_mul_overflow(s, (int64_t)NS_PER_S, &all) || __builtin_add_overflow(all, ns, &all))
			return false;
		*ret_monotonic_ns = all;
		return true;
	}
	return false;
}

static int link_of(struct host *h, const char *process, const char *name, struct buf *ret)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%s/ns/%s", process, name);
	return host_readlink(h, path, ret);
}

/* Against the kernel's first namespace, which has a number of its own: PROC_TIME_INIT_INO of linux/proc_ns.h. */
static int offset_of(struct host *h, const char *process, struct span own, int64_t *ret)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	char path[64];

	if (span_is(own, "time:[4026531834]")) {
		*ret = 0;
		return 0;
	}
	int r = link_of(h, process, "time_for_children", &text);
	if (r < 0)
		return r;
	if (!span_equal(buf_span(&text), own))
		return -ENODATA;
	snprintf(path, sizeof path, "/proc/%s/timens_offsets", process);
	r = host_read(h, path, &text);
	if (r < 0)
		return r;
	return time_offsets_parse(buf_span(&text), ret) ? 0 : -ENODATA;
}

int time_namespace_ahead(struct host *h, int pid, int64_t *ret_ns)
{
	cleanup(buf_deinit) struct buf ours = { 0 }, theirs = { 0 };
	int64_t our_offset, their_offset;
	char process[16];

	snprintf(process, sizeof process, "%d", pid);
	int r = link_of(h, "self", "time", &ours);
	if (r == -ENOENT) {
		*ret_ns = 0;
		return 0;
	}
	if (r == 0)
		r = link_of(h, process, "time", &theirs);
	if (r < 0)
		return r;
	if (span_equal(buf_span(&ours), buf_span(&theirs))) {
		*ret_ns = 0;
		return 0;
	}
	r = offset_of(h, "self", buf_span(&ours), &our_offset);
	if (r == 0)
		r = offset_of(h, process, buf_span(&theirs), &their_offset);
	if (r == 0 && __builtin_sub_overflow(their_offset, our_offset, ret_ns))
		r = -ENODATA;
	return r;
}
