/* The claim: one look at the table of 10 000 processes costs at least 50 times less CPU
 * than `ps -e -o pid,stat,time,rss,args`, side by side in one run.
 *
 *   build/bench/process_table [PROCESSES [RUNS]]
 *
 * Starts the processes (asleep) in a pid namespace of their own, which dies with this
 * program; without the right to make one they die by their parent's death signal. CPU time is
 * user + system as the kernel charges it: of ps by wait4, of ours by the process clock.
 * Exit: 0 when the goal is reached, 1 when not, 3 when it could not be measured. */
#include "bench/crowd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "source/process/task.h"

#define GOAL 50.0
#define MAX_RUNS 101

/* ns of CPU; 0: it could not be run. */
static uint64_t ps_cpu_ns(void)
{
	struct rusage used;
	int status;
	pid_t child = vfork();

	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);
		if (null < 0 || dup2(null, 1) < 0)
			_exit(127);
		execlp("ps", "ps", "-e", "-o", "pid,stat,time,rss,args", (char *)NULL);
		_exit(127);
	}
	if (child < 0 || wait4(child, &status, 0, &used) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return 0;
	return ((uint64_t)used.ru_utime.tv_sec + (uint64_t)used.ru_stime.tv_sec) * NS_PER_S +
	       ((uint64_t)used.ru_utime.tv_usec + (uint64_t)used.ru_stime.tv_usec) * NS_PER_US;
}

struct totals {
	unsigned tasks;
	uint64_t resident_bytes;
};

static int add(const struct task *t, void *arg)
{
	struct totals *totals = arg;

	totals->tasks++;
	totals->resident_bytes += reading_or(t->anon_bytes, 0) + reading_or(t->file_bytes, 0);
	return 0;
}

static uint64_t look_cpu_ns(struct task_reader *r, struct totals *ret)
{
	uint64_t from = clock_cpu_ns();

	*ret = (struct totals){ 0 };
	if (task_reader_each(r, add, ret) < 0)
		return 0;
	return clock_cpu_ns() - from;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static double median_ms(uint64_t *v, unsigned n)
{
	qsort(v, n, sizeof *v, by_value);
	return (double)v[n / 2] / 1e6;
}

static struct task_reader *reader(struct host *h, enum task_reader_kind kind, const char *name)
{
	struct task_reader *r = NULL;
	struct note note = { 0 };
	uint64_t from = clock_cpu_ns();

	if (task_reader_new_of_kind(h, kind, &r, &note) < 0) {
		printf("%-6s not measurable: %s\n", name, note.text);
		return NULL;
	}
	printf("%-6s set up in %.2f ms of CPU\n", name, (double)(clock_cpu_ns() - from) / 1e6);
	return r;
}

static bool report(const char *name, uint64_t *v, unsigned runs, const struct totals *totals, double ps_ms)
{
	double ms = median_ms(v, runs);

	printf("%-6s %8.3f ms a look (%.3f … %.3f), %u tasks, %.2f us each: 1/%.0f of ps\n", name, ms,
	       (double)v[0] / 1e6, (double)v[runs - 1] / 1e6, totals->tasks,
	       ms * 1e3 / totals->tasks, ps_ms / ms);
	return ps_ms / ms >= GOAL;
}

static int measure(struct host *h, unsigned runs)
{
	static uint64_t ps[MAX_RUNS], bpf[MAX_RUNS], proc[MAX_RUNS];
	struct task_reader *iter = reader(h, TASK_READER_BPF, "BPF");
	struct task_reader *files = reader(h, TASK_READER_PROC, "/proc");
	struct totals iter_totals = { 0 }, files_totals = { 0 };
	bool reached = false;

	for (unsigned i = 0; i < runs; i++) {
		ps[i] = ps_cpu_ns();
		bpf[i] = iter ? look_cpu_ns(iter, &iter_totals) : 0;
		proc[i] = files ? look_cpu_ns(files, &files_totals) : 0;
		if (ps[i] == 0) {
			fputs("ps could not be run\n", stderr);
			runs = 0;
		}
	}
	if (runs) {
		double ps_ms = median_ms(ps, runs);
		printf("ps     %8.3f ms a run (%.3f … %.3f), median of %u\n", ps_ms, (double)ps[0] / 1e6,
		       (double)ps[runs - 1] / 1e6, runs);
		if (files)
			report("/proc", proc, runs, &files_totals, ps_ms);
		if (iter)
			reached = report("BPF", bpf, runs, &iter_totals, ps_ms);
	}
	int result = !runs || !iter ? 3 : reached ? 0 : 1;
	printf("goal: at most 1/%.0f of ps: %s\n", GOAL,
	       result == 3 ? "not measurable" : reached ? "reached" : "missed");
	task_reader_free(iter);
	task_reader_free(files);
	return result;
}

int main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10000, started = 0;
	unsigned runs = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 7;
	struct host *h;
	int result = 3;

	if (n > 25000 || runs < 1 || runs > MAX_RUNS) {
		fprintf(stderr, "%s: at most 25000 processes and 1 to %d runs\n", argv[0], MAX_RUNS);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (host_open_live("/", &h, NULL) < 0)
		return 3;
	pid_t first = crowd_start(n, &started);
	if (first < 0 || started < n)
		fprintf(stderr, "only %u of %u processes could be started\n", started, n);
	else
		result = measure(h, runs);
	if (first > 0)
		crowd_end(first);
	host_free(h);
	return result;
}
