#include "view/cpu_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "source/cpu/cpu_stat.h"
#include "source/cpu/loadavg.h"
#include "source/cpu/psi.h"

/* One CPU, or all of them. */
struct cpu_row {
	char name[16];
	struct cpu_times growth; /* over the span */
	double total_ns;
};

struct cpu_host_row {
	struct cpu_stat stat;
	struct cpu_row all;
	struct loadavg load;
	struct psi stalls; /* growth */
	double seconds;
	reading switches, forks;
};

struct look {
	struct cpu_stat stat;
	cpu_line_vec cpus;
	struct psi psi;
};

struct cpu_state {
	struct host *host;
	struct buf scratch;
	struct look now, before;
	struct host_time last;
	struct view_span span;
	VEC(struct cpu_row) rows;
	struct cpu_host_row host_row;
};

/* ---- columns ---- */

static struct cell share(const void *row, reading part)
{
	const struct cpu_row *r = row;

	return cell_share(part, r->total_ns);
}

static struct cell get_cpu(const void *row) { return cell_text(((const struct cpu_row *)row)->name); }
static struct cell get_busy(const void *row) { return share(row, cpu_times_busy_ns(&((const struct cpu_row *)row)->growth)); }
/* Time of guests is part of user and nice: taken off, so that the shares add up. */
static struct cell get_user(const void *row)
{
	const struct cpu_times *t = &((const struct cpu_row *)row)->growth;
	reading user = t->user_ns;

	if (reading_ok(user) && reading_ok(t->guest_ns))
		user = user > t->guest_ns ? user - t->guest_ns : 0;
	return share(row, user);
}
static struct cell get_nice(const void *row)
{
	const struct cpu_times *t = &((const struct cpu_row *)row)->growth;
	reading nice = t->nice_ns;

	if (reading_ok(nice) && reading_ok(t->guest_nice_ns))
		nice = nice > t->guest_nice_ns ? nice - t->guest_nice_ns : 0;
	return share(row, nice);
}
#define CPU_SHARE(name) \
	static struct cell get_##name(const void *row) { return share(row, ((const struct cpu_row *)row)->growth.name##_ns); }
CPU_SHARE(system)
CPU_SHARE(iowait)
CPU_SHARE(irq)
CPU_SHARE(softirq)
CPU_SHARE(steal)
CPU_SHARE(idle)
static struct cell get_guest(const void *row)
{
	const struct cpu_times *t = &((const struct cpu_row *)row)->growth;

	return share(row, reading_sum(t->guest_ns, reading_or(t->guest_nice_ns, 0)));
}

#define STAT "/proc/stat"
static const struct column cpu_columns[] = {
	COLUMN(1000, cpu, "CPU", TEXT, LABEL, get_cpu, 0, STAT, "number of the CPU; all: the sum"),
	COLUMN(1001, busy_pct, "BUSY%", PCT, RATE, get_busy, 0, STAT, "neither idle nor waiting for I/O"),
	COLUMN(1002, user_pct, "USER%", PCT, RATE, get_user, 1, STAT " user", "running user code, nice <= 0; without guests"),
	COLUMN(1003, nice_pct, "NICE%", PCT, RATE, get_nice, 6, STAT " nice", "running user code, nice > 0; without guests"),
	COLUMN(1004, system_pct, "SYS%", PCT, RATE, get_system, 1, STAT " system", "running kernel code"),
	COLUMN(1005, iowait_pct, "IOWAIT%", PCT, RATE, get_iowait, 2, STAT " iowait",
	       "idle while a task that last ran here waited for I/O: idle time, no work"),
	COLUMN(1006, irq_pct, "IRQ%", PCT, RATE, get_irq, 5, STAT " irq", "in hardware interrupts"),
	COLUMN(1007, softirq_pct, "SOFT%", PCT, RATE, get_softirq, 4, STAT " softirq", "in soft interrupts"),
	COLUMN(1008, steal_pct, "STEAL%", PCT, RATE, get_steal, 3, STAT " steal", "taken by the hypervisor"),
	COLUMN(1009, guest_pct, "GUEST%", PCT, RATE, get_guest, 7, STAT " guest", "running guests"),
	COLUMN(1010, idle_pct, "IDLE%", PCT, RATE, get_idle, 1, STAT " idle", "idle without pending disk I/O"),
};

const struct entity entity_cpu = {
	.name = "cpu",
	.help = "one CPU, and all of them together",
	COLUMNS(cpu_columns),
	.shown = "cpu,busy_pct,user_pct,nice_pct,system_pct,iowait_pct,irq_pct,softirq_pct,steal_pct,guest_pct,idle_pct",
};

#define HOST_ROW ((const struct cpu_host_row *)row)
#define STALL(name, line)                                             \
	static struct cell get_stall_##name(const void *row)          \
	{                                                             \
		return cell_share(HOST_ROW->stalls.line, HOST_ROW->seconds * 1e9); \
	}
STALL(cpu, cpu.some_ns)
STALL(memory, memory.some_ns)
STALL(io, io.some_ns)
static struct cell get_running(const void *row) { return cell_reading(HOST_ROW->stat.running); }
static struct cell get_blocked(const void *row) { return cell_reading(HOST_ROW->stat.blocked); }
static struct cell get_switches(const void *row) { return cell_rate(HOST_ROW->switches, HOST_ROW->seconds); }
static struct cell get_forks(const void *row) { return cell_rate(HOST_ROW->forks, HOST_ROW->seconds); }
static struct cell get_tasks(const void *row) { return cell_reading(HOST_ROW->load.tasks); }
static struct cell load(reading milli)
{
	return reading_ok(milli) ? cell_real((double)milli / 1000) : cell_reading(milli);
}
static struct cell get_load1(const void *row) { return load(HOST_ROW->load.load1_milli); }
static struct cell get_load5(const void *row) { return load(HOST_ROW->load.load5_milli); }
static struct cell get_load15(const void *row) { return load(HOST_ROW->load.load15_milli); }
#define OF_ALL(name) \
	static struct cell get_all_##name(const void *row) { return get_##name(&HOST_ROW->all); }
OF_ALL(iowait)
OF_ALL(steal)
OF_ALL(idle)

/* As vmstat divides the time: its columns add up to all of it. */
static struct cell get_all_user(const void *row)
{
	const struct cpu_times *t = &HOST_ROW->all.growth;

	return share(&HOST_ROW->all, reading_sum(t->user_ns, t->nice_ns));
}
static struct cell get_all_system(const void *row)
{
	const struct cpu_times *t = &HOST_ROW->all.growth;

	return share(&HOST_ROW->all, reading_sum(t->system_ns, reading_sum(t->irq_ns, t->softirq_ns)));
}

static const struct column scheduler_columns[] = {
	COLUMN(1020, running, "RUN", COUNT, GAUGE, get_running, 0, STAT " procs_running", "tasks that run or wait for a CPU"),
	COLUMN(1021, blocked, "BLOCKED", COUNT, GAUGE, get_blocked, 0, STAT " procs_blocked", "tasks that wait for disk I/O"),
	COLUMN(1022, switches_per_s, "SWITCH/s", PER_S, RATE, get_switches, 1, STAT " ctxt", "context switches"),
	COLUMN(1023, forks_per_s, "FORK/s", PER_S, RATE, get_forks, 2, STAT " processes", "processes and threads created"),
	COLUMN(3259, user_pct, "USER%", PCT, RATE, get_all_user, 1, STAT, "user time of all CPUs, of any nice value, and of guests"),
	COLUMN(3260, system_pct, "SYS%", PCT, RATE, get_all_system, 1, STAT, "kernel time of all CPUs, with interrupts"),
	COLUMN(1026, iowait_pct, "IOWAIT%", PCT, RATE, get_all_iowait, 3, STAT, "idle, with I/O pending"),
	COLUMN(1027, steal_pct, "STEAL%", PCT, RATE, get_all_steal, 4, STAT, "taken by the hypervisor"),
	COLUMN(1028, idle_pct, "IDLE%", PCT, RATE, get_all_idle, 1, STAT, "idle"),
	COLUMN(1029, cpu_stall_pct, "PSI-CPU%", PCT, RATE, get_stall_cpu, 2, "/proc/pressure/cpu some",
	       "time in which a task waited for a CPU"),
	COLUMN(1030, memory_stall_pct, "PSI-MEM%", PCT, RATE, get_stall_memory, 5, "/proc/pressure/memory some",
	       "time in which a task waited for memory"),
	COLUMN(1031, io_stall_pct, "PSI-IO%", PCT, RATE, get_stall_io, 5, "/proc/pressure/io some",
	       "time in which a task waited for I/O"),
	COLUMN(1032, load1, "LOAD1", COUNT, GAUGE, get_load1, 3, "/proc/loadavg", "running and blocked tasks, mean of a minute"),
	COLUMN(1033, load5, "LOAD5", COUNT, GAUGE, get_load5, 6, "/proc/loadavg", "the same of 5 minutes"),
	COLUMN(1034, load15, "LOAD15", COUNT, GAUGE, get_load15, 6, "/proc/loadavg", "the same of 15 minutes"),
	COLUMN(1035, tasks, "TASKS", COUNT, GAUGE, get_tasks, 7, "/proc/loadavg", "threads that exist"),
};

const struct entity entity_scheduler = {
	.name = "scheduler",
	.help = "what the scheduler of the host has to do",
	COLUMNS(scheduler_columns),
	.shown = "running,blocked,switches_per_s,forks_per_s,user_pct,system_pct,iowait_pct,steal_pct,idle_pct,"
		 "cpu_stall_pct,memory_stall_pct,io_stall_pct,load1,load5,load15,tasks",
};

/* ---- collecting ---- */

static const struct cpu_times no_times; /* at boot */

static void grow(struct cpu_row *row, const struct cpu_times *before, const struct cpu_times *now)
{
	for (size_t i = 0; i < cpu_time_nfields; i++) {
		const struct field *f = &cpu_time_fields[i];
		reading delta = reading_delta(*field_at(f, (void *)before), *field_at(f, (void *)now));

		/* iowait may run backwards: the kernel takes it back when a task is charged elsewhere. */
		*field_at(f, &row->growth) = delta == READING_MALFORMED ? 0 : delta;
	}
	row->total_ns = reading_value(cpu_times_total_ns(&row->growth));
}

static const struct cpu_times *times_before(const struct cpu_state *s, uint32_t cpu)
{
	vec_each(line, &s->before.cpus)
		if (line->cpu == cpu)
			return &line->times;
	return &no_times; /* since boot, or it has come online */
}

static int make_rows(struct cpu_state *s)
{
	struct cpu_row *row;

	s->rows.n = 0;
	if (!(row = vec_push(&s->rows)))
		return -ENOMEM;
	snprintf(row->name, sizeof row->name, "all");
	grow(row, s->span.since_boot ? &no_times : &s->before.stat.total, &s->now.stat.total);
	s->host_row.all = *row;
	vec_each(line, &s->now.cpus) {
		if (!(row = vec_push(&s->rows)))
			return -ENOMEM;
		snprintf(row->name, sizeof row->name, "%u", line->cpu);
		grow(row, times_before(s, line->cpu), &line->times);
	}
	return 0;
}

static reading growth(const struct cpu_state *s, reading before, reading now)
{
	return reading_delta(s->span.since_boot ? 0 : before, now);
}

static void make_host_row(struct cpu_state *s)
{
	struct cpu_host_row *r = &s->host_row;
	const struct psi *a = &s->before.psi, *b = &s->now.psi;

	r->stat = s->now.stat;
	r->seconds = s->span.seconds;
	r->switches = growth(s, s->before.stat.context_switches, s->now.stat.context_switches);
	r->forks = growth(s, s->before.stat.forks, s->now.stat.forks);
	r->stalls.cpu.some_ns = growth(s, a->cpu.some_ns, b->cpu.some_ns);
	r->stalls.memory.some_ns = growth(s, a->memory.some_ns, b->memory.some_ns);
	r->stalls.io.some_ns = growth(s, a->io.some_ns, b->io.some_ns);
}

static int cpu_open(struct host *h, const struct view_wanted *wanted, const void *options, void **ret_state,
		    struct note *note)
{
	struct cpu_state *s = calloc(1, sizeof *s);

	(void)wanted;
	(void)options;
	if (!s)
		return note_set(note, -ENOMEM, "out of memory");
	s->host = h;
	*ret_state = s;
	return 0;
}

static int cpu_look(void *state, struct note *note)
{
	struct cpu_state *s = state;
	struct look old = s->before;
	int r;

	s->before = s->now;
	s->now = old;
	view_span_next(host_time(s->host), &s->last, &s->span);
	r = cpu_stat_read(s->host, &s->scratch, &s->now.stat, &s->now.cpus);
	if (r < 0)
		return note_set(note, r, "out of memory");
	if (s->now.stat.presence != PRESENT)
		return note_set(note, -ENOENT, "/proc/stat cannot be read: is /proc mounted?");
	loadavg_read(s->host, &s->scratch, &s->host_row.load);
	psi_read(s->host, &s->scratch, &s->now.psi);
	make_host_row(s);
	r = make_rows(s);
	return r < 0 ? note_set(note, r, "out of memory") : 0;
}

static void cpu_close(void *state)
{
	struct cpu_state *s = state;

	vec_free(&s->now.cpus);
	vec_free(&s->before.cpus);
	vec_free(&s->rows);
	buf_deinit(&s->scratch);
	free(s);
}

static int cpu_rows(void *state, row_vec *ret)
{
	struct cpu_state *s = state;

	return row_push_each(ret, &s->rows);
}

static int scheduler_rows(void *state, row_vec *ret)
{
	return row_push(ret, &((struct cpu_state *)state)->host_row);
}

static const struct view_span *cpu_span(const void *state)
{
	return &((const struct cpu_state *)state)->span;
}

static const struct view_section sections[] = {
	{ .name = "cpus", .title = "CPUs", .entity = &entity_cpu, .rows = cpu_rows },
	{ .name = "scheduler", .title = "scheduler", .entity = &entity_scheduler, .single = true, .rows = scheduler_rows },
};

const struct view view_cpu = {
	SECTIONS(sections), .open = cpu_open, .look = cpu_look, .close = cpu_close, .span = cpu_span,
};
