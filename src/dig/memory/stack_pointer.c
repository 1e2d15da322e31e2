#include "dig/memory/stack_pointer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dig/stack/thread_grab.h"
#include "dig/stack/thread_proc.h"

static int add(stack_pointers *to, uint64_t address, int tid, const char *comm)
{
	struct stack_pointer *added = vec_push(to);

	if (!added)
		return -ENOMEM;
	*added = (struct stack_pointer){ .address = address, .tid = tid };
	snprintf(added->comm, sizeof added->comm, "%s", comm);
	return 0;
}

/* 0: added, or it is not to be had; 1: it runs. */
static int add_sleeping(struct host *h, int pid, int tid, struct buf *text, stack_pointers *to)
{
	struct thread_stack t = { 0 };
	char path[96];

	snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", pid, tid);
	if (host_read(h, path, text) < 0 || thread_proc_parse_syscall(buf_span(text), &t) < 0)
		return 0;
	if (t.on_cpu)
		return 1;
	snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, tid);
	if (host_read(h, path, text) < 0 || thread_proc_parse_stat(buf_span(text), &t) < 0)
		return 0;
	return add(to, t.registers.value[UNWIND_RSP], tid, t.comm);
}

struct running {
	const tid_list *tids;
	stack_pointers *to;
};

static int on_grabbed(void *arg, const struct grab_record *r, struct span stack)
{
	const struct running *w = arg;

	(void)stack;
	vec_each(tid, w->tids) {
		if (*tid == r->tid)
			return add(w->to, r->registers[UNWIND_RSP], r->tid, r->comm);
	}
	return 0;
}

static int add_running(struct host *h, int pid, const tid_list *tids, stack_pointers *to)
{
	struct thread_grab *grab = NULL;
	struct running running = { tids, to };
	struct thread_grab_wish wish = { .pid = pid, .most_pages = 1 };
	struct note note = { "" };

	if (tids->n == 0 || thread_grab_new(h, &grab, &note) < 0)
		return 0;
	int r = thread_grab_each(grab, &wish, on_grabbed, &running);
	thread_grab_free(grab);
	return r == -ENOMEM ? r : 0;
}

static int by_address(const void *a, const void *b)
{
	const struct stack_pointer *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

int stack_pointers_read(struct host *h, int pid, stack_pointers *ret)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	tid_list tids = { 0 }, running = { 0 };
	stack_pointers found = { 0 };
	int r = thread_proc_list(h, pid, &tids);

	for (size_t i = 0; r >= 0 && i < tids.n; i++) {
		r = add_sleeping(h, pid, tids.v[i], &text, &found);
		if (r > 0) {
			int *added = vec_push(&running);
			r = -ENOMEM;
			if (added) {
				*added = tids.v[i];
				r = 0;
			}
		}
	}
	if (r >= 0)
		r = add_running(h, pid, &running, &found);
	vec_free(&tids);
	vec_free(&running);
	if (r < 0) {
		vec_free(&found);
		return r;
	}
	if (found.n)
		qsort(found.v, found.n, sizeof *found.v, by_address);
	vec_free(ret);
	*ret = found;
	return 0;
}
