#include "dig/image/mapping_watch.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

struct map_record {
	struct perf_event_header h;
	uint32_t pid, tid;
	uint64_t start, length, offset;
	uint32_t major, minor;
	uint64_t inode, generation;
	uint32_t protection, flags;
	char name[16];
	uint64_t time;
};

static struct span bytes_of(const void *record, size_t n)
{
	return (struct span){ record, n };
}

static void test_records(void)
{
	struct map_record m = { { PERF_RECORD_MMAP2, 0, sizeof m }, 7, 8, 0x1000, 0x2000, 0x3000, 8, 1, 42, 0,
				5, 2, "/lib/x", 99 };
	struct {
		struct perf_event_header h;
		uint32_t pid, parent, tid, parent_tid;
		uint64_t time, sampled;
	} f = { { PERF_RECORD_FORK, 0, sizeof f }, 9, 7, 9, 7, 50, 51 };
	struct {
		struct perf_event_header h;
		uint32_t pid, tid;
		char name[8];
		uint64_t time;
	} c = { { PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC, sizeof c }, 9, 9, "x", 60 };
	struct mapping_event e;

	CHECK(mapping_event_parse(bytes_of(&m, sizeof m), &e) == 0);
	CHECK(e.kind == MAPPING_EVENT_MAP && e.pid == 7 && e.time_ns == 99);
	CHECK(e.mapping.start == 0x1000 && e.mapping.end == 0x3000 && e.mapping.offset == 0x3000 &&
	      e.mapping.inode == 42);
	CHECK(e.mapping.flags == (MAPPING_READ | MAPPING_EXECUTE));
	CHECK_STR(e.mapping.name, "/lib/x");
	memcpy(m.name, "//anon", 7);
	CHECK(mapping_event_parse(bytes_of(&m, sizeof m), &e) == 0);
	CHECK_STR(e.mapping.name, "");
	memset(m.name, 'x', sizeof m.name); /* without an end */
	m.time = UINT64_MAX;
	CHECK(mapping_event_parse(bytes_of(&m, sizeof m), &e) == -EBADMSG);
	CHECK(mapping_event_parse(bytes_of(&m, sizeof m - 8), &e) == -EBADMSG);
	m.length = UINT64_MAX;
	m.name[0] = '\0';
	CHECK(mapping_event_parse(bytes_of(&m, sizeof m), &e) == -EBADMSG);

	CHECK(mapping_event_parse(bytes_of(&f, sizeof f), &e) == 0);
	CHECK(e.kind == MAPPING_EVENT_FORK && e.pid == 9 && e.parent == 7 && e.time_ns == 51);
	f.pid = 7; /* a thread */
	CHECK(mapping_event_parse(bytes_of(&f, sizeof f), &e) == 0 && e.kind == MAPPING_EVENT_NONE);
	CHECK(mapping_event_parse(bytes_of(&c, sizeof c), &e) == 0);
	CHECK(e.kind == MAPPING_EVENT_EXEC && e.pid == 9 && e.time_ns == 60);
	c.h.misc = 0; /* renamed by itself */
	CHECK(mapping_event_parse(bytes_of(&c, sizeof c), &e) == 0 && e.kind == MAPPING_EVENT_NONE);
	f.h.type = PERF_RECORD_LOST;
	CHECK(mapping_event_parse(bytes_of(&f, sizeof f), &e) == 0 && e.kind == MAPPING_EVENT_LOST);
}

static void put(struct mapped_process *p, uint64_t start, uint64_t end, const char *name)
{
	CHECK(mapping_put(p, &(struct mapping){ .start = start, .end = end, .offset = start, .name = name }) == 0);
}

/* "1-2 a, 3-4 b" in units; a mapping's offset goes with its start. */
static void holds(const struct mapped_process *p, const char *wanted)
{
	char text[200] = "";
	size_t n = 0;

	for (size_t i = 0; i < p->mapping.n; i++) {
		const struct mapping *m = &p->mapping.v[i];
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%u-%u %s", i ? ", " : "",
				      (unsigned)m->start, (unsigned)m->end, m->name);
		CHECK_U64(m->offset, m->start);
	}
	CHECK_STR(text, wanted);
}

static void test_put(void)
{
	struct mapped_process p = { 0 };

	put(&p, 10, 20, "a");
	put(&p, 30, 40, "b");
	put(&p, 20, 30, "c");
	holds(&p, "10-20 a, 20-30 c, 30-40 b");
	put(&p, 15, 35, "d"); /* over all of one, and parts of two */
	holds(&p, "10-15 a, 15-35 d, 35-40 b");
	put(&p, 20, 25, "e"); /* within */
	holds(&p, "10-15 a, 15-20 d, 20-25 e, 25-35 d, 35-40 b");
	put(&p, 0, 100, "f");
	holds(&p, "0-100 f");
	put(&p, 0, 100, "g");
	put(&p, 0, 10, "h");
	put(&p, 90, 100, "i");
	holds(&p, "0-10 h, 10-90 g, 90-100 i");
	vec_free(&p.mapping);
}

static bool maps(const struct mapped_process *p, const char *part)
{
	for (size_t i = 0; i < p->mapping.n; i++)
		if (strstr(p->mapping.v[i].name, part))
			return true;
	return false;
}

/* A program that has come and gone, and a child that is as its parent. */
static void test_live(void)
{
	struct mapping_watch *w;
	struct note note = { "" };
	int r = mapping_watch_new(&w, &note);

	if (r < 0) {
		CHECK(r == -EACCES || r == -EPERM || r == -ENOENT || r == -ENOSYS);
		return;
	}
	uint64_t before = clock_mono_ns();
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "(exit 3); exit 4", NULL);
		_exit(127);
	}
	CHECK(waitpid(pid, NULL, 0) == pid);
	mapping_watch_until(w, before);
	CHECK(mapping_watch_find(w, pid) == NULL);
	mapping_watch_until(w, clock_mono_ns());
	const struct mapped_process *p = mapping_watch_find(w, pid);
	CHECK(p != NULL);
	if (p) {
		CHECK(p->whole && p->parent == getpid());
		CHECK(maps(p, "/libc.") && maps(p, "/ld-") && maps(p, "sh") && maps(p, "[vdso]"));
		struct memory_map m = { 0 };
		CHECK(mapping_watch_map(p, &m) == 0);
		CHECK(m.mapping.n == p->mapping.n && memory_map_find(&m, p->mapping.v[0].start) == &m.mapping.v[0]);
		memory_map_deinit(&m);
	}
	mapping_watch_free(w);
}

int main(void)
{
	test_records();
	test_put();
	test_live();
	return check_exit();
}
