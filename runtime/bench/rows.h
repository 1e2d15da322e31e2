/* What the programs of the core's benchmark share: a row measures itself and prints "NAME FIGURE". One that
 * is given names runs those rows only. Times of one processor are CPU time of the process, so that others on
 * the machine do not count; those of several are wall time. */
#ifndef RT_BENCH_ROWS_H
#define RT_BENCH_ROWS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct row {
	const char *name;
	double (*measure)(void);	/* negative: not here */
};

static int rows_wall;

static inline double clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline double row_clock(void)
{
	return clock_ns(rows_wall ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID);
}

static inline double wall_clock(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* A line of /proc/self/status that is in kB, as bytes. */
static inline double status_bytes(const char *name)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kb = 0;

	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, name, strlen(name)) == 0)
			kb = atol(line + strlen(name));
	if (f)
		fclose(f);
	return (double)kb * 1024;
}

static inline double resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0;

	if (!f || fscanf(f, "%*d %ld", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static inline void rows_run(const struct row *rows, size_t n, char **names)
{
	for (size_t i = 0; i < n; i++) {
		char **name = names;
		while (*name && strcmp(*name, rows[i].name))
			name++;
		if (*names && !*name)
			continue;
		double figure = rows[i].measure();
		if (figure >= 0)
			printf("%s %.2f\n", rows[i].name, figure);
		fflush(stdout);
	}
}

#endif
