#include "cmd/memory_process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/command.h"
#include "cmd/countdown.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "dig/image/target_memory.h"
#include "dig/memory/process_heap.h"
#include "report/memory.h"

/* A look waits so long for a process that holds its own mmap_lock. */
#define PATIENCE_MS 5000

struct look {
	struct process_memory before, now;
	struct malloc_heap heap;
	mapping_growths mappings;
	struct proc_dir dir;
	struct buf scratch, name;
	double seconds;
	bool second; /* the first look has been */
};

static const char *why(int error, bool second)
{
	switch (error) {
	case -ENOENT:
	case -ESRCH:
		return second ? "it ended before the second look" : "there is no such process (osprey ps lists them)";
	case -EACCES:
	case -EPERM:
		return "its mappings may not be read: run as its user, or as root (CAP_SYS_PTRACE)";
	case -ETIMEDOUT:
		return "its mappings did not answer in 5 s: its memory is locked by one of its threads; osprey stack "
		       "tells where they stand";
	case -ENODATA:
		return second ? "it ended before the second look" :
		       "it has no memory of its own: it is a kernel thread, or has ended and waits for its parent";
	case -ESTALE:
		return "it became another program (exec) between the looks: start again";
	default:
		return strerror(-error);
	}
}

static int look_at(struct look *l, struct process_memory *ret)
{
	int r = process_memory_read(&l->dir, &l->scratch, PATIENCE_MS, ret);

	if (r < 0)
		return r;
	if (ret->error)
		return ret->error;
	return ret->total.mappings == 0 ? -ENODATA : 0;
}

static int read_bytes(void *arg, uint64_t address, void *to, size_t n)
{
	return target_memory_read(*(const int *)arg, address, to, n);
}

/* What grew, and what for. -ENODATA: not by mapping. */
static int compare(struct look *l, struct host *h, int pid, bool heap_known)
{
	struct heap_memory memory = { read_bytes, &pid };
	stack_pointers pointers = { 0 };
	int r = mapping_growths_make(&l->before, &l->now, &l->mappings);

	if (r == 0 && l->mappings.n) {
		int e = stack_pointers_read(h, pid, &pointers);
		r = e == -ENOMEM ? e : 0;
		mapping_uses_find(&memory, heap_known ? &l->heap : NULL, &pointers, &l->mappings);
	}
	vec_free(&pointers);
	return r;
}

/* Until then, or until it has ended; Ctrl-C makes the second look early. */
static int await(struct look *l, int pid, uint64_t until_ns)
{
	char what[48];
	struct countdown down = { .what = what, .end_ns = until_ns };
	uint64_t now_ns;
	int r = 0;

	snprintf(what, sizeof what, "watching the memory of %d", pid);
	while (r == 0 && !interrupted && (now_ns = clock_mono_ns()) < until_ns) {
		uint64_t next_ns = now_ns + NS_PER_S;
		/* A signal ends it by `interrupted`. */
		(void)!countdown_sleep(&down, next_ns < until_ns ? next_ns : until_ns);
		r = proc_dir_read(&l->dir, "comm", &l->name);
	}
	countdown_clear(&down);
	return r;
}

static int look_twice(struct look *l, int pid, uint64_t interval_ns)
{
	int r = 0;

	if (interval_ns) {
		uint64_t start = clock_mono_ns();

		l->before.each = l->now.each = true;
		r = look_at(l, &l->before);
		l->second = r == 0;
		if (r == 0)
			r = await(l, pid, start + interval_ns);
		l->seconds = (double)(clock_mono_ns() - start) / NS_PER_S;
	}
	if (r == 0)
		r = look_at(l, &l->now);
	if (r == 0 && interval_ns && memory_was_replaced(&l->before, &l->now))
		r = -ESTALE;
	if (r == 0)
		r = proc_dir_read(&l->dir, "comm", &l->name);
	return r;
}

static int tell(struct look *l, struct host *h, int pid, const struct memory_process_wish *wish)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct span name = span_trim(buf_span(&l->name));
	char comm[64];
	struct memory_report report = { .pid = pid, .name = comm, .now = &l->now, .seconds = l->seconds,
					.heap = &l->heap, .heap_error = process_heap_read(pid, &l->heap) };
	int r = 0;

	span_copy(name, comm, sizeof comm);
	if (wish->interval_ns) {
		report.before = &l->before;
		r = compare(l, h, pid, report.heap_error == 0);
		report.mappings = r == 0 ? &l->mappings : NULL;
	}
	if (r == -ENOMEM)
		return output_write(SPAN(""), r);
	if (wish->json) {
		struct json j = { .out = &text };

		r = memory_json(&j, &report);
		if (r == 0)
			r = json_finish(&j);
	} else {
		struct page p = { .out = &text, .style = output_table_style(wish->no_color) };

		r = memory_text(&p, &report);
		if (r == 0)
			r = p.error;
	}
	return output_write(buf_span(&text), r);
}

int memory_of_process(int pid, const struct memory_process_wish *wish)
{
	struct look l = { .dir = { .fd = -1 } };
	struct host *h = NULL;
	struct note note = { "" };
	int code = EXIT_UNABLE;
	if (wish->interval_ns)
		interrupt_catch();
	int r = host_open_live("/", &h, &note);

	if (r < 0) {
		say("memory: %s", note.text);
		return EXIT_UNABLE;
	}
	r = proc_dir_open(h, pid, 0, &l.dir);
	if (r == 0) {
		r = look_twice(&l, pid, wish->interval_ns);
		if (r == 0)
			code = tell(&l, h, pid, wish);
		proc_dir_close(&l.dir);
	}
	if (r == -ENOMEM)
		code = output_write(SPAN(""), r);
	else if (r < 0 && r != -EINTR)
		say("memory: process %d: %s", pid, why(r, l.second));
	process_memory_deinit(&l.before);
	process_memory_deinit(&l.now);
	malloc_heap_deinit(&l.heap);
	vec_free(&l.mappings);
	buf_deinit(&l.scratch);
	buf_deinit(&l.name);
	host_free(h);
	return code;
}
