#include <errno.h>

#include "report/fiber.h"

#define LOOK_FOR_CALL 12 /* frames between a switch and the public function that led to it, at most */

/* The outermost function at a frame: those that are inlined into it are told with it. -ENOMEM. */
static int name_at(const struct fiber_report *report, const struct unwind_frame *f, const char **ret)
{
	const struct symbol *s;
	size_t n;

	if (symbolize(report->stack.symbolizer, report->stack.stacks->space, f->pc, f->exact, &s, &n) < 0)
		return -ENOMEM;
	*ret = s[n - 1].function;
	return 0;
}

/* A public function that ends in a call of another stands on no stack: then it begins behind these. */
static bool is_switch(const char *function)
{
	static const char *const names[] = { "context_switch", "leave_for", "fiber_park", "fiber_yield", "wait_in",
					     "mutex_wait",     "mutex_lock_slow", "rw_lock" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(function, names[i]) == 0)
			return true;
	return false;
}

static bool is_start(const char *function)
{
	static const char *const names[] = { "fiber_main", "context_start", "run_first" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(function, names[i]) == 0)
			return true;
	return false;
}

int fiber_frames(const struct fiber_report *report, const struct fiber_row *f, bool whole, struct thread_stack *ret,
		 bool *ret_public)
{
	const struct fiber_list *l = &report->fibers->all;
	const char *function;

	*ret = (struct thread_stack){ .way = STACK_BPF };
	*ret_public = false;
	if (f->stack == FIBER_NO_STACK)
		return 0;
	const struct fiber_stack *s = &l->stack.v[f->stack];
	struct unwind_frame *frames = l->frame.v + s->first;
	size_t first = 0, n = s->nframes;
	for (size_t i = 0; !whole && i + 1 < n && i < LOOK_FOR_CALL && f->standing != INSPECT_RUNNING; i++) {
		if (name_at(report, &frames[i], &function) < 0)
			return -ENOMEM;
		if (strncmp(function, "rt_", 3) == 0) {
			first = i;
			*ret_public = true;
			break;
		}
		if (is_switch(function))
			first = i + 1;
	}
	while (!whole && s->end == UNWIND_OUTERMOST && n > first + 1) {
		if (name_at(report, &frames[n - 1], &function) < 0)
			return -ENOMEM;
		if (!is_start(function))
			break;
		n--;
	}
	ret->frames = frames + first;
	ret->nframes = n - first;
	ret->end = s->end;
	return 0;
}
