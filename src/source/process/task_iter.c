#include "source/process/task_iter.h"

#include <errno.h>

int task_iter_new(struct task_iter **ret, struct note *note)
{
	(void)ret;
	return note_set(note, -EOPNOTSUPP, "built without BPF");
}

void task_iter_free(struct task_iter *i)
{
	(void)i;
}

int task_iter_each(struct task_iter *i, int (*each)(const struct task *t, void *arg), void *arg)
{
	(void)i, (void)each, (void)arg;
	return -EOPNOTSUPP;
}
