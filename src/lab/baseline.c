#include "lab/baseline.h"

#include <math.h>

/* Figures of each tick, gauges and counters, and of samples (first and last of the window). */
struct figure {
	const char *resource;
	double floor; /* a spread below this is noise: in units a second, or units */
	bool gauge;
	reading (*of_tick)(const struct counters *c);
	double (*of_sample)(const struct sample *s);
};

#define TICK(name, expression)                             \
	static reading tick_##name(const struct counters *c) \
	{                                                  \
		return expression;                         \
	}
TICK(user, c->cpu.total.user_ns)
TICK(system, c->cpu.total.system_ns)
TICK(iowait, c->cpu.total.iowait_ns)
TICK(softirq, c->cpu.total.softirq_ns)
TICK(switches, c->cpu.context_switches)
TICK(forks, c->cpu.forks)
TICK(running, c->cpu.running)
TICK(blocked, c->cpu.blocked)
TICK(cpu_stall, c->psi.cpu.some_ns)
TICK(memory_stall, c->psi.memory.some_ns)
TICK(io_stall, c->psi.io.some_ns)
TICK(faults, c->vmstat.faults)
TICK(major_faults, c->vmstat.major_faults)
TICK(refault_file, c->vmstat.refault_file)
TICK(swap_in, c->vmstat.swap_in)
TICK(swap_out, c->vmstat.swap_out)
TICK(oom, c->vmstat.oom_kill)
TICK(pages_in, c->vmstat.pages_in_kib)
TICK(pages_out, c->vmstat.pages_out_kib)

static double disk_queue(const struct sample *s)
{
	double sum = 0;

	vec_each(d, &s->disks)
		sum += (double)reading_or(d->queue_ns, 0);
	return sum;
}

static double throttled(const struct sample *s)
{
	double sum = 0;

	vec_each(g, &s->cgroups)
		sum += (double)reading_or(g->cpu_throttled_ns, 0);
	return sum;
}

#define NET_SUM(name, member)                                                    \
	static double net_##name(const struct sample *s)                         \
	{                                                                        \
		double sum = 0;                                                  \
		for (size_t i = 0; i < s->nnet_ns; i++)                          \
			sum += (double)reading_or(s->net_ns[i].counters.member, 0); \
		return sum;                                                      \
	}
NET_SUM(retransmits, tcp_retransmitted)
NET_SUM(overflows, listen_overflows)
NET_SUM(udp_errors, udp_receive_buffer_errors)

static double open_files(const struct sample *s)
{
	return reading_value(s->file_nr.allocated);
}

static const struct figure figures[] = {
	{ "cpu", 0.1e9, false, tick_user, NULL },
	{ "cpu", 0.1e9, false, tick_system, NULL },
	{ "disk", 0.1e9, false, tick_iowait, NULL },
	{ "network", 0.02e9, false, tick_softirq, NULL },
	{ "cpu", 1000, false, tick_switches, NULL },
	{ "cpu", 50, false, tick_forks, NULL },
	{ "cpu", 1, true, tick_running, NULL },
	{ "disk", 1, true, tick_blocked, NULL },
	{ "cpu", 0.05e9, false, tick_cpu_stall, NULL },
	{ "memory", 0.05e9, false, tick_memory_stall, NULL },
	{ "disk", 0.05e9, false, tick_io_stall, NULL },
	{ "memory", 5000, false, tick_faults, NULL },
	{ "memory", 50, false, tick_major_faults, NULL },
	{ "memory", 100, false, tick_refault_file, NULL },
	{ "memory", 10, false, tick_swap_in, NULL },
	{ "memory", 10, false, tick_swap_out, NULL },
	{ "memory", 0.1, false, tick_oom, NULL },
	{ "disk", 4096, false, tick_pages_in, NULL },
	{ "disk", 4096, false, tick_pages_out, NULL },
	{ "disk", 0.2e9, false, NULL, disk_queue },
	{ "cpu", 0.05e9, false, NULL, throttled },
	{ "network", 2, false, NULL, net_retransmits },
	{ "network", 1, false, NULL, net_overflows },
	{ "network", 10, false, NULL, net_udp_errors },
	{ "limit", 500, true, NULL, open_files },
};

_Static_assert(sizeof figures / sizeof figures[0] == BASELINE_FIGURES, "BASELINE_FIGURES counts them");

const char *baseline_pressure(const struct window *w)
{
	const char *const names[] = { "cpu", "memory", "disk" };
	const double stalls[] = { reading_value(WINDOW_DELTA(w, psi.cpu.some_ns)),
				  reading_value(WINDOW_DELTA(w, psi.memory.some_ns)),
				  reading_value(WINDOW_DELTA(w, psi.io.some_ns)) };
	const char *most = NULL;
	double largest = 0;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (stalls[i] > largest) {
			largest = stalls[i];
			most = names[i];
		}
	return most;
}

/* One value for each step between two ticks: a rate, or a gauge's level. */
static double step_value(const struct figure *f, const struct counters *a, const struct counters *b)
{
	double seconds = (double)(b->at.mono_ns - a->at.mono_ns) / 1e9;

	if (f->gauge)
		return reading_value(f->of_tick(b));
	return seconds > 0 ? reading_value(reading_delta(f->of_tick(a), f->of_tick(b))) / seconds : NAN;
}

static void tick_figure(const struct figure *f, const struct window *w, double *ret_mean, double *ret_spread)
{
	double sum = 0, squares = 0, n = 0;

	for (size_t i = 1; i < w->nticks; i++) {
		double v = step_value(f, &w->ticks[i - 1], &w->ticks[i]);

		if (isnan(v))
			continue;
		sum += v;
		squares += v * v;
		n++;
	}
	*ret_mean = n > 0 ? sum / n : NAN;
	*ret_spread = n > 1 ? sqrt(fmax(squares / n - *ret_mean * *ret_mean, 0)) : NAN;
}

static double sample_figure(const struct figure *f, const struct window *w)
{
	double last = f->of_sample(w->last);

	return f->gauge ? last : (last - f->of_sample(w->first)) / w->seconds;
}

void baseline_learn(const struct window *w, struct baseline *ret)
{
	for (size_t i = 0; i < BASELINE_FIGURES; i++) {
		if (figures[i].of_tick) {
			tick_figure(&figures[i], w, &ret->mean[i], &ret->spread[i]);
		} else {
			ret->mean[i] = sample_figure(&figures[i], w);
			ret->spread[i] = NAN;
		}
	}
}

const char *baseline_deviation(const struct baseline *usual, const struct window *w)
{
	const char *most = NULL;
	double largest = 3;
	struct baseline now;

	baseline_learn(w, &now);
	for (size_t i = 0; i < BASELINE_FIGURES; i++) {
		double spread = fmax(usual->spread[i], figures[i].floor); /* NaN: the floor */
		double off = fabs(now.mean[i] - usual->mean[i]) / spread;

		if (off > largest) {
			largest = off;
			most = figures[i].resource;
		}
	}
	return most;
}
