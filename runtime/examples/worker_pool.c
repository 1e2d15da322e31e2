/* A worker pool: hashes the files that are named, no more than four at a time, files read by threads that may
 * block.
 *
 *	cc -O2 -o worker_pool worker_pool.c $(pkg-config --cflags --libs osprey-rt)
 *	./worker_pool *.c
 *
 * Two bounds: how many jobs run at a time (4), and how many wait (8). Who submits more waits in
 * rt_workers_submit: so the list of files may be as long as it likes and memory does not grow with it. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <osprey/rt.h>

struct job {
	const char *path;
	uint64_t hash;
	uint64_t bytes;
};

/* Runs on a thread of the pool, for reading a file may block. FNV-1a. */
static int hash_file(void *arg)
{
	struct job *j = arg;
	FILE *f = fopen(j->path, "rb");
	int c;

	if (!f)
		return -errno;
	j->hash = 14695981039346656037u;
	for (; (c = getc(f)) != EOF; j->bytes++)
		j->hash = (j->hash ^ (uint64_t)c) * 1099511628211u;
	int r = ferror(f) ? -EIO : 0;
	fclose(f);
	return r;
}

/* Runs on a fiber: waits for the file without a thread of its own, and could do more with it then. */
static int work(void *arg)
{
	struct job *j = arg;
	int result, r = rt_pool_run(NULL, hash_file, j, &result, RT_FOREVER);

	r = r < 0 ? r : result;
	if (r < 0)
		fprintf(stderr, "%s: %s\n", j->path, strerror(-r));
	else
		printf("%016llx %8llu %s\n", (unsigned long long)j->hash, (unsigned long long)j->bytes, j->path);
	return r;
}

static int first(void *arg)
{
	char **paths = arg;
	struct rt_workers *workers;
	struct rt_arena *jobs = NULL;
	int result = 0, r = rt_workers_new(4, 8, &workers);

	if (r < 0)
		return r;
	r = rt_arena_new(NULL, &jobs);
	for (; r == 0 && *paths; paths++) {
		struct job *j = rt_arena_zalloc(jobs, 1, sizeof *j);
		if (!j) {
			r = -ENOMEM;
			break;
		}
		j->path = *paths;
		r = rt_workers_submit(workers, work, j, RT_FOREVER);
	}
	/* No more come; those that wait are done. */
	(void)rt_workers_drain(workers, &result, RT_FOREVER);
	rt_workers_free(workers);
	rt_arena_free(jobs);
	return r < 0 ? r : result;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: worker_pool FILE...\n");
		return 2;
	}
	return rt_run(NULL, first, argv + 1) < 0;
}
