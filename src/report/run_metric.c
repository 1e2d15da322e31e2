#include <math.h>
#include <string.h>

#include "base/units.h"
#include "report/run.h"

enum kind { U64, READING };

#define M(id, label, unit, kind, member) { { id, label, unit }, kind, offsetof(struct run_result, member) }

static const struct {
	struct run_metric metric;
	enum kind kind;
	size_t offset;
} sources[RUN_METRICS] = {
	M("wall_s", "wall", RUN_SECONDS, U64, wall_ns),
	M("user_s", "user", RUN_SECONDS, U64, user_ns),
	M("system_s", "system", RUN_SECONDS, U64, system_ns),
	M("peak_resident_bytes", "peak memory", RUN_BYTES, U64, peak_bytes),
	M("minor_faults", "minor faults", RUN_COUNT, U64, minor_faults),
	M("major_faults", "major faults", RUN_COUNT, U64, major_faults),
	M("voluntary_switches", "voluntary switches", RUN_COUNT, U64, voluntary_switches),
	M("involuntary_switches", "involuntary switches", RUN_COUNT, U64, involuntary_switches),
	M("storage_read_bytes", "storage read", RUN_BYTES, READING, read_bytes),
	M("storage_written_bytes", "storage written", RUN_BYTES, READING, written_bytes),
	M("read_call_bytes", "read by calls", RUN_BYTES, READING, read_call_bytes),
	M("write_call_bytes", "written by calls", RUN_BYTES, READING, write_call_bytes),
	M("cgroup_peak_bytes", "cgroup peak memory", RUN_BYTES, READING, memory_peak_bytes),
	M("throttled_s", "throttled", RUN_SECONDS, READING, group.cpu_throttled_ns),
	M("throttled_periods", "throttled periods", RUN_COUNT, READING, group.cpu_throttled_periods),
	M("periods", "periods", RUN_COUNT, READING, group.cpu_periods),
	M("memory_limit_hits", "memory limit hits", RUN_COUNT, READING, group.memory_limit_hits),
	M("memory_high_events", "memory high events", RUN_COUNT, READING, group.memory_high_events),
	M("oom_kills", "OOM kills", RUN_COUNT, READING, group.memory_oom_kills),
	M("pids_limit_hits", "pids limit hits", RUN_COUNT, READING, group.pids_limit_hits),
	M("cpu_stall_s", "stalled for CPU", RUN_SECONDS, READING, group.cpu_stall.some_ns),
	M("memory_stall_s", "stalled for memory", RUN_SECONDS, READING, group.memory_stall.some_ns),
	M("io_stall_s", "stalled for I/O", RUN_SECONDS, READING, group.io_stall.some_ns),
};

const struct run_metric *run_metric(size_t i)
{
	return &sources[i].metric;
}

double run_metric_value(const struct run_result *r, size_t i)
{
	const void *p = (const char *)r + sources[i].offset;
	uint64_t v;

	memcpy(&v, p, sizeof v);
	if (sources[i].kind == READING) {
		/* Without a cgroup its members are zero, which is no figure. */
		if (sources[i].offset >= offsetof(struct run_result, group_path) && !r->group_path[0])
			return NAN;
		if (!reading_ok(v))
			return NAN;
	}
	return sources[i].metric.unit == RUN_SECONDS ? (double)v / 1e9 : (double)v;
}

struct units_text run_metric_text(size_t i, double value)
{
	switch (sources[i].metric.unit) {
	case RUN_SECONDS:
		return duration_text(value);
	case RUN_BYTES:
		return bytes_text(value);
	case RUN_COUNT:
		break;
	}
	return number_text(value);
}

void run_line_fill(const struct run_result *r, struct run_line *ret)
{
	ret->exit_code = r->exit_code;
	ret->signal = r->signal;
	ret->timeout = r->timeout;
	ret->failed_to_start = r->pid == 0;
	ret->peak_is_bound = r->peak_is_bound;
	for (size_t i = 0; i < RUN_METRICS; i++)
		ret->value[i] = r->pid ? run_metric_value(r, i) : NAN;
}
