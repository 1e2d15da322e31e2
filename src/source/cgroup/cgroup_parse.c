#include <errno.h>

#include "source/cgroup/cgroup.h"
#include "source/storage/mountinfo.h"

void cgroup_missing(reading why, struct cgroup *ret)
{
	const struct psi_line no_stall = { why, why };

	ret->cpu_quota_ns = ret->cpu_period_ns = ret->cpu_usage_ns = why;
	ret->cpu_periods = ret->cpu_throttled_periods = ret->cpu_throttled_ns = why;
	ret->memory_bytes = ret->memory_limit_bytes = ret->memory_high_bytes = ret->memory_swap_bytes = why;
	ret->memory_limit_hits = ret->memory_high_events = ret->memory_oom_kills = why;
	ret->memory_anon_bytes = ret->memory_file_bytes = why;
	ret->memory_refault_anon = ret->memory_refault_file = ret->memory_major_faults = why;
	ret->pids = ret->pids_limit = ret->pids_limit_hits = why;
	ret->cpu_stall = ret->memory_stall = ret->io_stall = no_stall;
	ret->nio = 0;
}

/* ---- files of "name value" lines ---- */

struct value {
	const char *name;
	size_t offset;
	uint64_t scale;
};

#define VALUE(name, member, scale) { name, offsetof(struct cgroup, member), scale }
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static reading scaled(struct span word, uint64_t scale)
{
	uint64_t v;

	if (!span_u64(word, &v) || __builtin_mul_overflow(v, scale, &v) || !reading_ok(v))
		return READING_MALFORMED;
	return v;
}

/* A name that occurs twice in the table (as "rss" and "total_rss") ends with its last line. */
static void parse_values(struct span text, const struct value *values, size_t n, struct cgroup *ret)
{
	struct span line, name;

	while (span_line(&text, &line)) {
		if (!span_word(&line, &name))
			continue;
		for (size_t i = 0; i < n; i++)
			if (span_is(name, values[i].name))
				*(reading *)((char *)ret + values[i].offset) =
					scaled(span_trim(line), values[i].scale);
	}
}

void cgroup_cpu_stat_parse(struct span text, bool v2, struct cgroup *ret)
{
	static const struct value in_v1[] = {
		VALUE("nr_periods", cpu_periods, 1),
		VALUE("nr_throttled", cpu_throttled_periods, 1),
		VALUE("throttled_time", cpu_throttled_ns, 1),
	};
	static const struct value in_v2[] = {
		VALUE("usage_usec", cpu_usage_ns, 1000),
		VALUE("nr_periods", cpu_periods, 1),
		VALUE("nr_throttled", cpu_throttled_periods, 1),
		VALUE("throttled_usec", cpu_throttled_ns, 1000),
	};

	if (v2)
		parse_values(text, in_v2, COUNT_OF(in_v2), ret);
	else
		parse_values(text, in_v1, COUNT_OF(in_v1), ret);
}

void cgroup_memory_events_parse(struct span text, struct cgroup *ret)
{
	static const struct value values[] = {
		VALUE("high", memory_high_events, 1),
		VALUE("max", memory_limit_hits, 1),
		VALUE("oom_kill", memory_oom_kills, 1),
	};

	parse_values(text, values, COUNT_OF(values), ret);
}

void cgroup_memory_stat_parse(struct span text, bool v2, struct cgroup *ret)
{
	/* v1 counts the group's own pages; the total_ lines, with those below, come last. */
	static const struct value in_v1[] = {
		VALUE("cache", memory_file_bytes, 1),
		VALUE("rss", memory_anon_bytes, 1),
		VALUE("swap", memory_swap_bytes, 1),
		VALUE("workingset_refault_anon", memory_refault_anon, 1),
		VALUE("workingset_refault_file", memory_refault_file, 1),
		VALUE("pgmajfault", memory_major_faults, 1),
		VALUE("total_cache", memory_file_bytes, 1),
		VALUE("total_rss", memory_anon_bytes, 1),
		VALUE("total_swap", memory_swap_bytes, 1),
		VALUE("total_workingset_refault_anon", memory_refault_anon, 1),
		VALUE("total_workingset_refault_file", memory_refault_file, 1),
		VALUE("total_pgmajfault", memory_major_faults, 1),
	};
	static const struct value in_v2[] = {
		VALUE("anon", memory_anon_bytes, 1),
		VALUE("file", memory_file_bytes, 1),
		VALUE("workingset_refault_anon", memory_refault_anon, 1),
		VALUE("workingset_refault_file", memory_refault_file, 1),
		VALUE("pgmajfault", memory_major_faults, 1),
	};

	if (v2)
		parse_values(text, in_v2, COUNT_OF(in_v2), ret);
	else
		parse_values(text, in_v1, COUNT_OF(in_v1), ret);
}

/* ---- limits ---- */

reading cgroup_limit_parse(struct span text)
{
	uint64_t v;

	text = span_trim(text);
	if (span_is(text, "max") || span_is(text, "-1"))
		return CGROUP_UNLIMITED;
	if (!span_u64(text, &v))
		return READING_MALFORMED;
	/* v1 memory writes "none" as the highest page-aligned 63-bit number. */
	return v >= (UINT64_C(1) << 62) ? CGROUP_UNLIMITED : v;
}

static reading limit_us(struct span word)
{
	reading us = cgroup_limit_parse(word);

	if (!reading_ok(us) || us == CGROUP_UNLIMITED)
		return us;
	return __builtin_mul_overflow(us, UINT64_C(1000), &us) ? READING_MALFORMED : us;
}

/* "20000 100000" or "max 100000" */
void cgroup_cpu_max_parse(struct span text, struct cgroup *ret)
{
	struct span quota, period;

	text = span_trim(text);
	if (!span_word(&text, &quota) || !span_word(&text, &period)) {
		ret->cpu_quota_ns = ret->cpu_period_ns = READING_MALFORMED;
		return;
	}
	ret->cpu_quota_ns = limit_us(quota);
	ret->cpu_period_ns = scaled(period, 1000);
}

/* ---- I/O by device ---- */

static bool parse_device(struct span word, uint32_t *ret_major, uint32_t *ret_minor)
{
	struct span before;
	uint64_t major, minor;

	if (!span_until(&word, ':', &before) || !span_u64(before, &major) || !span_u64(word, &minor) ||
	    major > UINT32_MAX || minor > UINT32_MAX)
		return false;
	*ret_major = (uint32_t)major;
	*ret_minor = (uint32_t)minor;
	return true;
}

/* The row's entry for the device that the line begins with, made when it is new. NULL: no
 * such line ("Total 0"), or no room for one more device. */
static struct cgroup_io *device_of(struct span *line, struct cgroup *ret)
{
	uint32_t major, minor;
	struct span word;

	if (!span_word(line, &word) || !parse_device(word, &major, &minor))
		return NULL;
	for (size_t i = 0; i < ret->nio; i++)
		if (ret->io[i].major == major && ret->io[i].minor == minor)
			return &ret->io[i];
	if (ret->nio == CGROUP_MAX_DEVICES)
		return NULL;
	struct cgroup_io *io = &ret->io[ret->nio++];
	*io = (struct cgroup_io){ major, minor, 0, 0, 0, 0, CGROUP_UNLIMITED, CGROUP_UNLIMITED,
				  CGROUP_UNLIMITED, CGROUP_UNLIMITED };
	return io;
}

struct io_value {
	const char *name;
	size_t offset;
};

#define IO_VALUE(name, member) { name, offsetof(struct cgroup_io, member) }

static reading *io_at(struct cgroup_io *io, size_t offset)
{
	return (reading *)((char *)io + offset);
}

static void reset_devices(struct cgroup *ret, const struct io_value *values, size_t n, reading to)
{
	for (size_t d = 0; d < ret->nio; d++)
		for (size_t i = 0; i < n; i++)
			*io_at(&ret->io[d], values[i].offset) = to;
}

/* "8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0" */
static void parse_pairs(struct span text, const struct io_value *values, size_t n, bool limits,
			struct cgroup *ret)
{
	struct span line, pair, name;

	reset_devices(ret, values, n, limits ? CGROUP_UNLIMITED : 0);
	while (span_line(&text, &line)) {
		struct cgroup_io *io = device_of(&line, ret);

		while (io && span_word(&line, &pair)) {
			if (!span_until(&pair, '=', &name))
				continue;
			for (size_t i = 0; i < n; i++)
				if (span_is(name, values[i].name))
					*io_at(io, values[i].offset) =
						limits ? cgroup_limit_parse(pair) : scaled(pair, 1);
		}
	}
}

void cgroup_io_stat_parse(struct span text, struct cgroup *ret)
{
	static const struct io_value values[] = { IO_VALUE("rbytes", read_bytes), IO_VALUE("wbytes", write_bytes),
						  IO_VALUE("rios", reads), IO_VALUE("wios", writes) };

	parse_pairs(text, values, COUNT_OF(values), false, ret);
}

void cgroup_io_max_parse(struct span text, struct cgroup *ret)
{
	static const struct io_value values[] = { IO_VALUE("rbps", read_bytes_limit),
						  IO_VALUE("wbps", write_bytes_limit),
						  IO_VALUE("riops", reads_limit), IO_VALUE("wiops", writes_limit) };

	parse_pairs(text, values, COUNT_OF(values), true, ret);
}

/* "8:0 Read 4096", "8:0 Write 0", "8:0 Sync …", "Total 4096" */
static void parse_operations(struct span text, size_t read_offset, size_t write_offset, struct cgroup *ret)
{
	const struct io_value values[] = { { "Read", read_offset }, { "Write", write_offset } };
	struct span line, operation;

	reset_devices(ret, values, 2, 0);
	while (span_line(&text, &line)) {
		struct cgroup_io *io = device_of(&line, ret);

		if (!io || !span_word(&line, &operation))
			continue;
		for (size_t i = 0; i < 2; i++)
			if (span_is(operation, values[i].name))
				*io_at(io, values[i].offset) = scaled(span_trim(line), 1);
	}
}

/* "8:0 1048576", only devices that have a limit */
static void parse_device_limits(struct span text, size_t offset, struct cgroup *ret)
{
	const struct io_value value = { "", offset };
	struct span line;

	reset_devices(ret, &value, 1, CGROUP_UNLIMITED);
	while (span_line(&text, &line)) {
		struct cgroup_io *io = device_of(&line, ret);

		if (io)
			*io_at(io, offset) = cgroup_limit_parse(line);
	}
}

void cgroup_blkio_parse(struct span text, const char *file, struct cgroup *ret)
{
	static const struct io_value limits[] = {
		IO_VALUE("blkio.throttle.read_bps_device", read_bytes_limit),
		IO_VALUE("blkio.throttle.write_bps_device", write_bytes_limit),
		IO_VALUE("blkio.throttle.read_iops_device", reads_limit),
		IO_VALUE("blkio.throttle.write_iops_device", writes_limit),
	};

	if (strcmp(file, "blkio.throttle.io_service_bytes") == 0)
		parse_operations(text, offsetof(struct cgroup_io, read_bytes),
				 offsetof(struct cgroup_io, write_bytes), ret);
	else if (strcmp(file, "blkio.throttle.io_serviced") == 0)
		parse_operations(text, offsetof(struct cgroup_io, reads), offsetof(struct cgroup_io, writes), ret);
	for (size_t i = 0; i < COUNT_OF(limits); i++)
		if (strcmp(file, limits[i].name) == 0)
			parse_device_limits(text, limits[i].offset, ret);
}

/* ---- where the hierarchies are ---- */

static const struct controller {
	enum cgroup_controller bit;
	const char *v1, *v2;
} controllers[] = {
	{ CGROUP_CPU, "cpu", "cpu" },
	{ CGROUP_MEMORY, "memory", "memory" },
	{ CGROUP_IO, "blkio", "io" },
	{ CGROUP_PIDS, "pids", "pids" },
};

unsigned cgroup_controllers_parse(struct span text)
{
	struct span word;
	unsigned bits = 0;

	text = span_trim(text);
	while (span_word(&text, &word))
		for (size_t i = 0; i < COUNT_OF(controllers); i++)
			if (span_is(word, controllers[i].v2))
				bits |= controllers[i].bit;
	return bits;
}

static unsigned v1_controllers(struct span options)
{
	unsigned bits = 0;

	for (size_t i = 0; i < COUNT_OF(controllers); i++)
		if (mountinfo_option(options, controllers[i].v1))
			bits |= controllers[i].bit;
	return bits;
}

static bool has_mount(const struct cgroup_mounts *mounts, bool v2, unsigned bits)
{
	for (size_t i = 0; i < mounts->n; i++)
		if (mounts->v[i].v2 == v2 && mounts->v[i].controllers == bits)
			return true;
	return false;
}

static void add_mount(struct cgroup_mounts *mounts, const struct mountinfo *m, bool v2, unsigned bits)
{
	if (mounts->n == COUNT_OF(mounts->v) || has_mount(mounts, v2, bits))
		return;
	struct cgroup_mount *mount = &mounts->v[mounts->n++];
	mountinfo_unescape(m->mount, mount->path, sizeof mount->path);
	mount->v2 = v2;
	mount->controllers = bits;
}

void cgroup_mounts_parse(struct span mountinfo, struct cgroup_mounts *ret)
{
	struct mountinfo m;
	struct span line;

	*ret = (struct cgroup_mounts){ 0 };
	while (span_line(&mountinfo, &line)) {
		/* A path that was cut would name another directory. */
		if (mountinfo_line_parse(line, &m) < 0 || m.mount.n >= sizeof ret->v[0].path)
			continue;
		if (span_is(m.type, "cgroup2"))
			add_mount(ret, &m, true, 0);
		if (!span_is(m.type, "cgroup"))
			continue;
		unsigned bits = v1_controllers(m.super_options);
		if (bits)
			add_mount(ret, &m, false, bits);
		if (!ret->cpuacct[0] && mountinfo_option(m.super_options, "cpuacct"))
			mountinfo_unescape(m.mount, ret->cpuacct, sizeof ret->cpuacct);
	}
}

static const char *v1_name(enum cgroup_controller controller)
{
	for (size_t i = 0; i < COUNT_OF(controllers); i++)
		if (controllers[i].bit == controller)
			return controllers[i].v1;
	return "";
}

/* "4:memory:/a", "2:cpu,cpuacct:/b", "0::/c". A controller that no v1 line has is v2's. */
int cgroup_of_task_parse(struct span text, enum cgroup_controller controller, char *ret, size_t size)
{
	const char *name = v1_name(controller);
	struct span line, number, names, found = { 0 };

	while (span_line(&text, &line)) {
		if (!span_until(&line, ':', &number) || !span_until(&line, ':', &names))
			continue;
		if (mountinfo_option(names, name)) {
			found = line;
			break;
		}
		if (span_is(number, "0") && names.n == 0)
			found = line;
	}
	if (!found.n)
		return -ENOENT;
	span_copy(found, ret, size);
	return 0;
}
