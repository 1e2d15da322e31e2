/* What a scenario may take at most. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "lab/file.h"
#include "lab/tree.h"

/* The first process and what lab_command starts. */
#define OWN_PROCESSES 8
/* Private memory that is reserved and hardly used: thread stacks above all. */
#define RESERVED_BYTES (UINT64_C(512) << 20)
/* What is taken between two looks of the guardian, and the processes' own. */
#define SLACK_BYTES (UINT64_C(64) << 20)

static int limit_pids(const struct groups *g, const struct scenario *s, const char *id, struct note *note)
{
	for (size_t i = 0; i < g->n; i++) {
		char path[160], text[32];

		if (!(g->v[i].controllers & CGROUP_PIDS))
			continue;
		snprintf(path, sizeof path, "%s/%s/pids.max", g->v[i].mount, id);
		snprintf(text, sizeof text, "%u", s->processes + OWN_PROCESSES);
		int r = file_write(path, text);

		if (r < 0)
			return note_set(note, r, "%s: %s", path, strerror(-r));
	}
	return 0;
}

int bounds_make(const struct scenario *s, const char *id, int journal, struct groups *ret, struct note *note)
{
	struct groups g = { 0 };
	int r;

	/* A host without cgroups can have the scenarios that need none; a host without one
	 * of the two still has the other. */
	if (groups_find(CGROUP_PIDS | CGROUP_MEMORY, &g, NULL) < 0 && groups_find(CGROUP_PIDS, &g, NULL) < 0)
		(void)!groups_find(CGROUP_MEMORY, &g, NULL);
	r = groups_make(&g, id, "work", journal, note);
	if (r == 0)
		r = limit_pids(&g, s, id, note);
	if (r == 0)
		*ret = g;
	return r;
}

static void limit(__rlimit_resource_t resource, uint64_t value)
{
	struct rlimit now, l = { value, value };

	if (getrlimit(resource, &now) == 0 && now.rlim_max < value)
		return;
	(void)!setrlimit(resource, &l);
}

void bounds_limit_self(const struct scenario *s)
{
	uint64_t largest_file = s->disk_bytes > s->memory_bytes ? s->disk_bytes : s->memory_bytes;

	signal(SIGXFSZ, SIG_IGN);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_FSIZE, largest_file + (1 << 20));
#ifndef __SANITIZE_ADDRESS__ /* whose shadow counts as private memory */
	limit(RLIMIT_DATA, s->memory_bytes + RESERVED_BYTES);
#endif
}

static uint64_t stat_value(const char *text, const char *name)
{
	struct span rest = span_from(text), line, word;
	uint64_t value;

	while (span_line(&rest, &line))
		if (span_word(&line, &word) && span_is(word, name) && span_next_u64(&line, &value))
			return value;
	return 0;
}

static uint64_t memory_taken(const struct group *g, const char *id)
{
	char path[160], text[8192];

	snprintf(path, sizeof path, "%s/%s/memory.stat", g->mount, id);
	if (file_read(path, text, sizeof text) < 0)
		return 0;
	if (g->v2)
		return stat_value(text, "anon") + stat_value(text, "shmem");
	return stat_value(text, "total_rss") + stat_value(text, "total_shmem");
}

bool bounds_broken(const struct groups *g, const struct scenario *s, const char *id, struct note *note)
{
	uint64_t taken = 0;

	for (size_t i = 0; i < g->n; i++)
		if (g->v[i].controllers & CGROUP_MEMORY)
			taken = memory_taken(&g->v[i], id);
	if (taken <= s->memory_bytes + SLACK_BYTES)
		return false;
	note_set(note, -EDQUOT, "it took %llu MiB of memory, its bound is %llu MiB",
		 (unsigned long long)(taken >> 20), (unsigned long long)(s->memory_bytes >> 20));
	return true;
}
