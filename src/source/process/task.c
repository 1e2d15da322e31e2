#include "source/process/task.h"

#include <errno.h>
#include <stdlib.h>

#include "source/process/task_iter.h"
#include "source/process/task_proc.h"

struct task_reader {
	struct task_iter *iter; /* NULL: /proc */
	struct task_proc *proc;
};

static int reader_new(struct task_iter *iter, struct task_proc *proc, struct task_reader **ret)
{
	struct task_reader *r = calloc(1, sizeof *r);

	if (!r) {
		task_iter_free(iter);
		task_proc_free(proc);
		return -ENOMEM;
	}
	r->iter = iter;
	r->proc = proc;
	*ret = r;
	return 0;
}

int task_reader_new_of_kind(struct host *h, enum task_reader_kind kind, struct task_reader **ret,
			    struct note *note)
{
	struct task_iter *iter = NULL;
	struct task_proc *proc = NULL;
	int r;

	if (kind == TASK_READER_PROC)
		r = task_proc_new(h, &proc);
	else if (host_is_textual(h))
		return note_set(note, -EOPNOTSUPP, "a captured host has no BPF");
	else
		r = task_iter_new(h, kind == TASK_READER_BPF_OFTEN, &iter, note);
	return r < 0 ? r : reader_new(iter, proc, ret);
}

int task_reader_new(struct host *h, struct task_reader **ret, struct note *note)
{
	if (task_reader_new_of_kind(h, TASK_READER_BPF, ret, note) == 0)
		return 0;
	return task_reader_new_of_kind(h, TASK_READER_PROC, ret, NULL);
}

int task_reader_new_often(struct host *h, struct task_reader **ret, struct note *note)
{
	if (task_reader_new_of_kind(h, TASK_READER_BPF_OFTEN, ret, note) == 0)
		return 0;
	return task_reader_new_of_kind(h, TASK_READER_PROC, ret, NULL);
}

void task_reader_free(struct task_reader *r)
{
	if (!r)
		return;
	task_iter_free(r->iter);
	task_proc_free(r->proc);
	free(r);
}

void task_reader_needs(struct task_reader *r, unsigned needs)
{
	if (r->proc)
		task_proc_needs(r->proc, needs);
}

enum task_reader_kind task_reader_kind(const struct task_reader *r)
{
	return r->iter ? TASK_READER_BPF : TASK_READER_PROC;
}

int task_reader_each(struct task_reader *r, int (*each)(const struct task *t, void *arg), void *arg)
{
	return r->iter ? task_iter_each(r->iter, each, arg) : task_proc_each(r->proc, each, arg);
}

enum task_motion task_reader_rests(const struct task_reader *r)
{
	return r->iter ? task_iter_rests(r->iter) : TASK_MOVED;
}

void task_reader_forget(struct task_reader *r)
{
	if (r->iter)
		task_iter_forget(r->iter);
}

void task_reader_reread(struct task_reader *r)
{
	if (r->iter)
		task_iter_reread(r->iter);
}
