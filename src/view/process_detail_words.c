#include <stdio.h>

#include "source/process/wait_words.h"
#include "view/process_detail.h"

/* The kernel function says more of a wait within the kernel (D), the system call of one for others. */
static const char *what_for(const struct task *t, const char *wchan, const struct syscall_words *call)
{
	const char *place = wchan_words(wchan);

	if (t->state == 'D' || !call || !call->waits_for)
		return place ? place : call ? call->waits_for : NULL;
	return call->waits_for;
}

static int append_call(const struct task *t, const char *wchan, struct buf *ret)
{
	const struct syscall_words *call = t->flags & TASK_HAS_SYSCALL ? syscall_words(t->syscall) : NULL;
	const char *words = what_for(t, wchan, call);
	int r = 0;

	if (call && call->of_fd && t->argument[0] <= INT32_MAX)
		r = buf_printf(ret, "%s(%u)", call->name, (unsigned)t->argument[0]);
	else if (call)
		r = buf_printf(ret, "%s", call->name);
	else if (t->flags & TASK_HAS_SYSCALL)
		r = buf_printf(ret, "system call %d", t->syscall);
	if (r == 0 && *wchan && (!call || t->state == 'D'))
		r = buf_printf(ret, "%s%s", t->flags & TASK_HAS_SYSCALL ? " in " : "", wchan);
	if (r == 0 && words)
		r = buf_printf(ret, ": waits for %s", words);
	return r;
}

int process_thread_sentence(const struct task *t, const char *wchan, struct buf *ret)
{
	if (t->state == 'S' || t->state == 'D')
		return append_call(t, wchan, ret);
	return buf_printf(ret, "%s", task_state_words(t->state));
}

static int append_waiting(const struct process_detail *d, struct buf *ret)
{
	size_t before = ret->n;
	int r = buf_printf(ret, d->task.state == 'D' ? "uninterruptible, in " : "sleeping in ");
	size_t said = ret->n;

	if (r == 0 && d->mutex.owner_tid)
		return buf_printf(ret, "futex: waits for a mutex that thread %d %s holds", d->mutex.owner_tid,
				  d->mutex_owner_comm);
	if (r == 0)
		r = append_call(&d->task, d->wchan, ret);
	if (r == 0 && ret->n == said) { /* we may not know */
		ret->n = before;
		return buf_printf(ret, "%s", task_state_words(d->task.state));
	}
	if (r == 0 && reading_ok(d->syscall_fd) && !d->syscall_target.error && d->syscall_target.text.n)
		r = buf_printf(ret, " (descriptor %u is %.*s)", (unsigned)d->syscall_fd,
			       (int)d->syscall_target.text.n, d->syscall_target.text.data);
	return r;
}

/* waitpid's encoding. */
static int append_ending(const struct process_detail *d, struct buf *ret)
{
	reading code = d->stat.exit_code;
	char name[16];

	if (!reading_ok(code))
		return 0;
	if (code & 0x7f) {
		signal_name(code & 0x7f, name, sizeof name);
		return buf_printf(ret, "; killed by signal %s", name);
	}
	return buf_printf(ret, "; its exit code is %u", (unsigned)(code >> 8 & 0xff));
}

static int append_zombie(const struct process_detail *d, struct buf *ret)
{
	int r;

	if (reading_or(d->task.threads, 0) > 1)
		return buf_printf(ret, "its first thread has ended, %u others live", (unsigned)d->task.threads - 1);
	r = buf_printf(ret, "zombie: it has ended");
	if (r == 0 && d->ancestors.n)
		r = buf_printf(ret, ", and its parent %d %s does not reap it (does not call wait)", d->ancestors.v[0].pid,
			       d->ancestors.v[0].comm);
	return r < 0 ? r : append_ending(d, ret);
}

int process_state_sentence(const struct process_detail *d, struct buf *ret)
{
	int r;

	if (d->task.state == 'Z')
		return append_zombie(d, ret);
	if (d->task.state == 'S' || d->task.state == 'D')
		r = append_waiting(d, ret);
	else
		r = buf_printf(ret, "%s", task_state_words(d->task.state));
	if (r == 0 && d->task.state == 'T')
		r = buf_printf(ret, ": CONT lets it go on");
	if (r == 0 && reading_or(d->status.tracer, 0))
		r = buf_printf(ret, "; traced by %u %s", (unsigned)d->status.tracer, d->tracer_comm);
	if (r == 0 && reading_or(d->status.core_dumping, 0))
		r = buf_printf(ret, "; its core is being written");
	return r;
}
