#include "cmd/memory_process.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/command.h"
#include "cmd/output.h"
#include "dig/memory/process_heap.h"
#include "report/memory.h"

/* A look waits so long for a process that holds its own mmap_lock. */
#define PATIENCE_MS 5000

struct look {
	struct process_memory before, now;
	struct malloc_heap heap;
	struct proc_dir dir;
	struct buf scratch, name;
	double seconds;
};

static const char *why(int error)
{
	switch (error) {
	case -ENOENT:
	case -ESRCH:
		return "there is no such process";
	case -EACCES:
	case -EPERM:
		return "its mappings may not be read: needs its own user or CAP_SYS_PTRACE";
	case -ETIMEDOUT:
		return "its mappings did not answer in 5 s (its memory is locked)";
	case -ENODATA:
		return "it has no memory of its own (a kernel thread, or it has ended)";
	default:
		return "its mappings cannot be read";
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

static int look_twice(struct look *l, uint64_t interval_ns)
{
	int r = 0;

	if (interval_ns) {
		uint64_t start = clock_mono_ns();

		r = look_at(l, &l->before);
		if (r == 0 && clock_sleep_until(start + interval_ns) == -EINTR)
			return -EINTR;
		l->seconds = (double)(clock_mono_ns() - start) / NS_PER_S;
	}
	if (r == 0)
		r = look_at(l, &l->now);
	if (r == 0)
		r = proc_dir_read(&l->dir, "comm", &l->name);
	return r;
}

static int tell(struct look *l, int pid, bool two, bool json, bool no_color)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct span name = span_trim(buf_span(&l->name));
	char comm[64];
	struct memory_report report = { pid, comm, &l->now, two ? &l->before : NULL, l->seconds, &l->heap,
					process_heap_read(pid, &l->heap) };
	int r;

	span_copy(name, comm, sizeof comm);
	if (json) {
		struct json j = { .out = &text };

		r = memory_json(&j, &report);
		if (r == 0)
			r = json_finish(&j);
	} else {
		struct page p = { .out = &text, .style = output_table_style(no_color) };

		r = memory_text(&p, &report);
		if (r == 0)
			r = p.error;
	}
	return output_write(buf_span(&text), r);
}

int memory_of_process(int pid, uint64_t interval_ns, bool json, bool no_color)
{
	struct look l = { .dir = { .fd = -1 } };
	struct host *h = NULL;
	struct note note = { "" };
	int code = EXIT_UNABLE;
	int r = host_open_live("/", &h, &note);

	if (r < 0) {
		say("memory: %s", note.text);
		return EXIT_UNABLE;
	}
	r = proc_dir_open(h, pid, 0, &l.dir);
	if (r == 0) {
		r = look_twice(&l, interval_ns);
		if (r == 0)
			code = tell(&l, pid, interval_ns != 0, json, no_color);
		proc_dir_close(&l.dir);
	}
	if (r == -ENOMEM)
		code = output_write(SPAN(""), r);
	else if (r < 0 && r != -EINTR)
		say("memory: process %d: %s", pid, why(r));
	process_memory_deinit(&l.before);
	process_memory_deinit(&l.now);
	malloc_heap_deinit(&l.heap);
	buf_deinit(&l.scratch);
	buf_deinit(&l.name);
	host_free(h);
	return code;
}
