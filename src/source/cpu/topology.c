#include "source/cpu/topology.h"

#include <errno.h>

#define MAX_CPU_NUMBER 65535 /* far above NR_CPUS of any kernel; keeps sums in range */

static int range_count(struct span range, uint64_t *ret)
{
	struct span first = range;
	uint64_t from, to;

	bool pair = span_until(&range, '-', &first);
	if (!span_u64(first, &from))
		return -EBADMSG;
	to = from;
	if (pair && !span_u64(range, &to))
		return -EBADMSG;
	if (to < from || to > MAX_CPU_NUMBER)
		return -EBADMSG;
	*ret = to - from + 1;
	return 0;
}

int cpu_list_count(struct span text, uint32_t *ret)
{
	struct span rest = span_trim(text), range;
	uint64_t sum = 0, count;
	bool more;

	do {
		more = span_until(&rest, ',', &range);
		if (!more)
			range = rest;
		if (range_count(range, &count) < 0 || (sum += count) > MAX_CPU_NUMBER + 1)
			return -EBADMSG;
	} while (more);
	*ret = (uint32_t)sum;
	return 0;
}

static uint32_t cpus_of_stat(struct span text)
{
	struct span line;
	uint32_t n = 0;

	while (span_line(&text, &line) && span_starts(line, "cpu"))
		n += line.n > 3 && line.p[3] >= '0' && line.p[3] <= '9';
	return n;
}

static uint32_t read_cpus(struct host *h, struct buf *scratch)
{
	uint32_t n;

	if (host_read(h, "/sys/devices/system/cpu/online", scratch) == 0 &&
	    cpu_list_count(buf_span(scratch), &n) == 0)
		return n;
	if (host_read(h, "/proc/stat", scratch) < 0)
		return 1;
	n = cpus_of_stat(buf_span(scratch));
	return n ? n : 1;
}

static void read_line(struct host *h, const char *path, struct buf *scratch, char *ret, size_t size)
{
	struct span text, line;

	ret[0] = '\0';
	if (host_read(h, path, scratch) < 0)
		return;
	text = buf_span(scratch);
	if (span_line(&text, &line))
		span_copy(span_trim(line), ret, size);
}

/* "model name\t: …"; arm64 kernels do not write one. */
static void read_model(struct host *h, struct buf *scratch, char *ret, size_t size)
{
	struct span text, line, name;

	ret[0] = '\0';
	if (host_read(h, "/proc/cpuinfo", scratch) < 0)
		return;
	text = buf_span(scratch);
	while (span_line(&text, &line))
		if (span_until(&line, ':', &name) && span_is(span_trim(name), "model name")) {
			span_copy(span_trim(line), ret, size);
			return;
		}
}

void topology_read(struct host *h, struct buf *scratch, struct topology *ret)
{
	ret->cpus = read_cpus(h, scratch);
	if (host_read(h, "/sys/devices/system/node/online", scratch) < 0 ||
	    cpu_list_count(buf_span(scratch), &ret->nodes) < 0)
		ret->nodes = 1;
	read_model(h, scratch, ret->model, sizeof ret->model);
	read_line(h, "/proc/sys/kernel/osrelease", scratch, ret->kernel, sizeof ret->kernel);
	read_line(h, "/proc/sys/kernel/hostname", scratch, ret->hostname, sizeof ret->hostname);
}
