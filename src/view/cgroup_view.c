#include "view/cgroup_view.h"

#include <errno.h>
#include <stdlib.h>

#include "base/map.h"
#include "source/cgroup/cgroup_name.h"

struct cgroups_state {
	struct host *host;
	struct cgroup_reader *reader;
	cgroup_vec now, before;
	bool truncated;
	struct map before_by_key, by_path;
	VEC(struct cgroup_row) rows;
	struct host_time last;
	struct view_span span;
};

/* ---- columns ---- */

#define ROW ((const struct cgroup_row *)row)
#define GET(name, value) \
	static struct cell get_##name(const void *row) { return value; }
#define OF(controller, member) (ROW->controller ? cell_reading(ROW->controller->member) : cell_reading(READING_ABSENT))

/* Without a limit there is nothing to tell. */
static struct cell limit(const struct cgroup *c, reading r)
{
	return cell_reading(!c || r == CGROUP_UNLIMITED ? READING_ABSENT : r);
}
static struct cell filled(const struct cgroup *c, reading used, reading most)
{
	if (!c || most == CGROUP_UNLIMITED || !reading_ok(most) || most == 0)
		return cell_reading(READING_ABSENT);
	return cell_share(used, (double)most);
}

GET(cgroup, cell_text(ROW->path))
GET(name, cell_text(ROW->name))
GET(cpu, cell_share(ROW->cpu_ns, ROW->seconds * 1e9))
GET(memory, OF(memory, memory_bytes))
GET(memory_limit, limit(ROW->memory, ROW->memory ? ROW->memory->memory_limit_bytes : 0))
GET(memory_high, limit(ROW->memory, ROW->memory ? ROW->memory->memory_high_bytes : 0))
GET(memory_pct, filled(ROW->memory, ROW->memory ? ROW->memory->memory_bytes : 0, ROW->memory ? ROW->memory->memory_limit_bytes : 0))
GET(swap, OF(memory, memory_swap_bytes))
GET(anon, OF(memory, memory_anon_bytes))
GET(file, OF(memory, memory_file_bytes))
GET(oom_kills, OF(memory, memory_oom_kills))
GET(limit_hits, cell_rate(ROW->limit_hits, ROW->seconds))
GET(major_faults, cell_rate(ROW->major_faults, ROW->seconds))
GET(pids, OF(pids, pids))
GET(pids_limit, limit(ROW->pids, ROW->pids ? ROW->pids->pids_limit : 0))
GET(pids_pct, filled(ROW->pids, ROW->pids ? ROW->pids->pids : 0, ROW->pids ? ROW->pids->pids_limit : 0))
GET(read, cell_rate(ROW->read_bytes, ROW->seconds))
GET(write, cell_rate(ROW->write_bytes, ROW->seconds))
GET(reads, cell_rate(ROW->reads, ROW->seconds))
GET(writes, cell_rate(ROW->writes, ROW->seconds))
GET(cpu_stall, cell_share(ROW->cpu_stall_ns, ROW->seconds * 1e9))
GET(memory_stall, cell_share(ROW->memory_stall_ns, ROW->seconds * 1e9))
GET(io_stall, cell_share(ROW->io_stall_ns, ROW->seconds * 1e9))
GET(throttled_ms, reading_ok(ROW->throttled_ns) ? cell_real((double)ROW->throttled_ns / 1e6 / ROW->seconds) : cell_reading(ROW->throttled_ns))

static bool has_quota(const struct cgroup *c)
{
	return c && c->cpu_quota_ns != CGROUP_UNLIMITED && reading_ok(c->cpu_quota_ns) && reading_ok(c->cpu_period_ns) &&
	       c->cpu_period_ns > 0;
}
static struct cell get_quota(const void *row)
{
	const struct cgroup *c = ROW->cpu;

	return has_quota(c) ? cell_real((double)c->cpu_quota_ns / (double)c->cpu_period_ns) : cell_reading(READING_ABSENT);
}
/* Periods pass only while a group with a quota has something to run. */
static struct cell get_throttled(const void *row)
{
	if (!reading_ok(ROW->periods))
		return cell_reading(ROW->periods);
	if (ROW->periods == 0 && !has_quota(ROW->cpu))
		return cell_reading(READING_ABSENT);
	return cell_share(ROW->throttled_periods, (double)ROW->periods);
}
static struct cell get_version(const void *row)
{
	const struct cgroup *any = ROW->cpu ? ROW->cpu : ROW->memory ? ROW->memory : ROW->pids ? ROW->pids : ROW->io;

	return cell_text(any && !any->v2 ? "v1" : "v2");
}

static const struct column cgroup_columns[] = {
	COLUMN(1200, cpu_pct, "CPU%", PCT, RATE, get_cpu, 0, "cpu.stat usage_usec; v1 cpuacct.usage", "CPU time, of one CPU"),
	COLUMN(1201, cpu_quota, "QUOTA", COUNT, GAUGE, get_quota, 3, "cpu.max; v1 cpu.cfs_quota_us", "CPUs it may use"),
	COLUMN(1202, throttled_pct, "THROTTLED%", PCT, RATE, get_throttled, 1, "cpu.stat nr_throttled / nr_periods",
	       "periods in which the quota ran out"),
	COLUMN(1203, throttled_ms_per_s, "THR-MS/s", MS, RATE, get_throttled_ms, 6, "cpu.stat throttled_usec",
	       "time it stood still for that, summed over CPUs, a second"),
	COLUMN(1204, memory_bytes, "MEM", BYTES, GAUGE, get_memory, 0, "memory.current; v1 memory.usage_in_bytes",
	       "memory, its page cache included"),
	COLUMN(1205, memory_limit_bytes, "LIMIT", BYTES, GAUGE, get_memory_limit, 3, "memory.max; v1 memory.limit_in_bytes", "its limit"),
	COLUMN(1206, memory_pct, "MEM%", PCT, GAUGE, get_memory_pct, 2, "memory.current / memory.max", "memory, of its limit"),
	COLUMN(1207, memory_high_bytes, "HIGH", BYTES, GAUGE, get_memory_high, 8, "memory.high", "where it is slowed down"),
	COLUMN(1208, anon_bytes, "ANON", BYTES, GAUGE, get_anon, 6, "memory.stat anon", "memory that is no cache"),
	COLUMN(1209, file_bytes, "CACHE", BYTES, GAUGE, get_file, 7, "memory.stat file", "page cache"),
	COLUMN(1210, swap_bytes, "SWAP", BYTES, GAUGE, get_swap, 5, "memory.swap.current", "swapped out"),
	COLUMN(1211, oom_kills, "OOM", COUNT, COUNTER, get_oom_kills, 4, "memory.events oom_kill", "processes killed for want of memory"),
	COLUMN(1212, limit_hits_per_s, "HIT/s", PER_S, RATE, get_limit_hits, 7, "memory.events max; v1 memory.failcnt",
	       "times memory had to be reclaimed because of the limit"),
	COLUMN(1213, major_faults_per_s, "MAJFLT/s", PER_S, RATE, get_major_faults, 8, "memory.stat pgmajfault", "page faults that read"),
	COLUMN(1214, pids, "PIDS", COUNT, GAUGE, get_pids, 2, "pids.current", "processes and threads"),
	COLUMN(1215, pids_limit, "PIDMAX", COUNT, GAUGE, get_pids_limit, 7, "pids.max", "their limit"),
	COLUMN(1216, pids_pct, "PID%", PCT, GAUGE, get_pids_pct, 8, "pids.current / pids.max", "of their limit"),
	COLUMN(1217, read_bytes_per_s, "READ/s", BYTES_PER_S, RATE, get_read, 3, "io.stat rbytes; v1 blkio.throttle.io_service_bytes", "bytes read"),
	COLUMN(1218, write_bytes_per_s, "WRITE/s", BYTES_PER_S, RATE, get_write, 3, "io.stat wbytes", "bytes written"),
	COLUMN(1219, reads_per_s, "RIO/s", PER_S, RATE, get_reads, 8, "io.stat rios", "reads"),
	COLUMN(1220, writes_per_s, "WIO/s", PER_S, RATE, get_writes, 8, "io.stat wios", "writes"),
	COLUMN(1221, cpu_stall_pct, "PSI-CPU%", PCT, RATE, get_cpu_stall, 4, "cpu.pressure some", "time in which a task of it waited for a CPU (v2)"),
	COLUMN(1222, memory_stall_pct, "PSI-MEM%", PCT, RATE, get_memory_stall, 4, "memory.pressure some", "… for memory (v2)"),
	COLUMN(1223, io_stall_pct, "PSI-IO%", PCT, RATE, get_io_stall, 4, "io.pressure some", "… for I/O (v2)"),
	COLUMN(1224, version, "V", TEXT, LABEL, get_version, 9, "/proc/self/mountinfo", "v1 or v2"),
	COLUMN_ELASTIC(1225, unit, "UNIT", TEXT, LABEL, get_name, 5, "the path", "service, scope or container behind it"),
	COLUMN_ELASTIC(1226, cgroup, "CGROUP", TEXT, LABEL, get_cgroup, 0, "the directory's path", "path below the hierarchy's mount"),
};

const struct entity entity_cgroup = {
	.name = "cgroup",
	.help = "a control group; v1 groups of the same path are one",
	COLUMNS(cgroup_columns),
	.shown = "cpu_pct,cpu_quota,throttled_pct,memory_bytes,memory_limit_bytes,memory_pct,swap_bytes,oom_kills,pids,pids_limit,"
		 "read_bytes_per_s,write_bytes_per_s,cpu_stall_pct,memory_stall_pct,io_stall_pct,cgroup",
	.sort = "cpu_pct,memory_bytes,cgroup",
};

/* ---- collecting ---- */

static int cgroups_open(struct host *h, const struct view_wanted *wanted, const void *options, void **ret_state,
			struct note *note)
{
	struct cgroups_state *s = calloc(1, sizeof *s);
	int r = s ? cgroup_reader_new(h, &s->reader) : -ENOMEM;

	(void)wanted;
	(void)options;
	if (r < 0) {
		free(s);
		return note_set(note, r, r == -ENOENT ? "no cgroup hierarchy is mounted" : "cgroups cannot be read: %s", strerror(-r));
	}
	s->host = h;
	*ret_state = s;
	return 0;
}

/* Unique over hierarchies: inode numbers are within one alone. */
static uint64_t key_of(const struct cgroup *c)
{
	return (map_hash(c->mount, strlen(c->mount)) ^ (c->id * UINT64_C(0x9e3779b97f4a7c15))) | 1;
}

static const struct cgroup nothing; /* when it was created: all counters at zero */

/* NULL: its growth cannot be told. */
static const struct cgroup *before_of(const struct cgroups_state *s, const struct cgroup *c)
{
	uint32_t at = s->span.since_boot ? MAP_NONE : map_get(&s->before_by_key, key_of(c));

	return at == MAP_NONE ? &nothing : &s->before.v[at];
}

static struct cgroup_row *row_of(struct cgroups_state *s, const struct cgroup *c)
{
	uint64_t key = map_hash(c->path, strlen(c->path));
	uint32_t at = map_get(&s->by_path, key);

	if (at != MAP_NONE)
		return &s->rows.v[at];
	struct cgroup_row *row = vec_push(&s->rows);
	if (!row || map_set(&s->by_path, key, (uint32_t)(s->rows.n - 1)) < 0)
		return NULL;
	row->path = c->path;
	row->seconds = s->span.seconds;
	cgroup_name(c->path, row->name, sizeof row->name);
	row->cpu_ns = row->periods = row->throttled_periods = row->throttled_ns = READING_ABSENT;
	row->oom_kills = row->limit_hits = row->major_faults = READING_ABSENT;
	row->read_bytes = row->write_bytes = row->reads = row->writes = READING_ABSENT;
	row->cpu_stall_ns = row->memory_stall_ns = row->io_stall_ns = READING_ABSENT;
	return row;
}

static void take_cpu(struct cgroup_row *row, const struct cgroup *before, const struct cgroup *c)
{
	row->cpu = c;
	row->cpu_ns = reading_delta(before->cpu_usage_ns, c->cpu_usage_ns);
	row->periods = reading_delta(before->cpu_periods, c->cpu_periods);
	row->throttled_periods = reading_delta(before->cpu_throttled_periods, c->cpu_throttled_periods);
	row->throttled_ns = reading_delta(before->cpu_throttled_ns, c->cpu_throttled_ns);
}

static void take_memory(struct cgroup_row *row, const struct cgroup *before, const struct cgroup *c)
{
	row->memory = c;
	row->oom_kills = reading_delta(before->memory_oom_kills, c->memory_oom_kills);
	row->limit_hits = reading_delta(before->memory_limit_hits, c->memory_limit_hits);
	row->major_faults = reading_delta(before->memory_major_faults, c->memory_major_faults);
}

/* Sums over devices; one that was not there before has grown from nothing. */
static void take_io(struct cgroup_row *row, const struct cgroup *before, const struct cgroup *c)
{
	row->io = c;
	row->read_bytes = row->write_bytes = row->reads = row->writes = 0;
	for (size_t i = 0; i < c->nio; i++) {
		const struct cgroup_io *now = &c->io[i], *was = NULL;

		for (size_t k = 0; k < before->nio; k++)
			if (before->io[k].major == now->major && before->io[k].minor == now->minor)
				was = &before->io[k];
		row->read_bytes = reading_sum(row->read_bytes, reading_delta(was ? was->read_bytes : 0, now->read_bytes));
		row->write_bytes = reading_sum(row->write_bytes, reading_delta(was ? was->write_bytes : 0, now->write_bytes));
		row->reads = reading_sum(row->reads, reading_delta(was ? was->reads : 0, now->reads));
		row->writes = reading_sum(row->writes, reading_delta(was ? was->writes : 0, now->writes));
	}
}

static void take_stalls(struct cgroup_row *row, const struct cgroup *before, const struct cgroup *c)
{
	row->stall = c;
	row->cpu_stall_ns = reading_delta(before->cpu_stall.some_ns, c->cpu_stall.some_ns);
	row->memory_stall_ns = reading_delta(before->memory_stall.some_ns, c->memory_stall.some_ns);
	row->io_stall_ns = reading_delta(before->io_stall.some_ns, c->io_stall.some_ns);
}

static int take(struct cgroups_state *s, const struct cgroup *c)
{
	const struct cgroup *before = before_of(s, c);
	struct cgroup_row *row = row_of(s, c);

	if (!row)
		return -ENOMEM;
	/* In v2 a group whose parent does not enable the controller still counts its CPU time. */
	if (c->controllers & CGROUP_CPU || (c->v2 && !row->cpu && reading_ok(c->cpu_usage_ns)))
		take_cpu(row, before, c);
	if (c->controllers & CGROUP_MEMORY)
		take_memory(row, before, c);
	if (c->controllers & CGROUP_PIDS)
		row->pids = c;
	if (c->controllers & CGROUP_IO)
		take_io(row, before, c);
	if (c->v2)
		take_stalls(row, before, c);
	return 0;
}

static int cgroups_look(void *state, struct note *note)
{
	struct cgroups_state *s = state;
	cgroup_vec old = s->before;
	int r = 0;

	s->before = s->now;
	s->now = old;
	map_clear(&s->before_by_key);
	for (size_t i = 0; r == 0 && i < s->before.n; i++)
		r = map_set(&s->before_by_key, key_of(&s->before.v[i]), (uint32_t)i);
	view_span_next(host_time(s->host), &s->last, &s->span);
	if (r == 0)
		r = cgroups_read(s->reader, &s->now, &s->truncated);
	if (r == 0 && s->now.n == 0)
		return note_set(note, -ENOENT, "no cgroup hierarchy can be read: is one mounted at /sys/fs/cgroup?");
	s->rows.n = 0;
	map_clear(&s->by_path);
	vec_each(c, &s->now)
		r = r < 0 ? r : take(s, c);
	return r < 0 ? note_set(note, r, "cgroups cannot be read: %s", strerror(-r)) : 0;
}

static int cgroup_rows(void *state, row_vec *ret)
{
	struct cgroups_state *s = state;

	return row_push_each(ret, &s->rows);
}

static void cgroups_close(void *state)
{
	struct cgroups_state *s = state;

	cgroup_reader_free(s->reader);
	vec_free(&s->now);
	vec_free(&s->before);
	vec_free(&s->rows);
	map_deinit(&s->before_by_key);
	map_deinit(&s->by_path);
	free(s);
}

static const struct view_span *cgroups_span(const void *state)
{
	return &((const struct cgroups_state *)state)->span;
}

static const struct view_section sections[] = {
	{ .name = "cgroups", .entity = &entity_cgroup, .rows = cgroup_rows },
};

const struct view view_cgroups = {
	SECTIONS(sections), .open = cgroups_open, .look = cgroups_look, .close = cgroups_close, .span = cgroups_span,
};
