/* Stacks of a process: as text for people and as JSON, schema osprey.stack/1. */
#ifndef OSPREY_REPORT_STACK_H
#define OSPREY_REPORT_STACK_H

#include "base/json.h"
#include "dig/stack/stack_group.h"
#include "dig/stack/thread_wait.h"
#include "dig/symbol/symbol.h"
#include "report/page.h"

struct stack_report {
	const struct process_stacks *stacks;
	const struct equal_groups *groups;
	const struct thread_wait *waits; /* beside stacks->threads */
	struct symbolizer *symbolizer;
	bool addresses; /* of each frame */
	bool no_kernel; /* leave its frames out */
	bool first_alone; /* of the innermost frame the function itself, without what was inlined into it */
};

void stack_text(struct page *p, const struct stack_report *report);
/* A document of its own, or an object of an array. */
struct goroutine_stacks;
struct fiber_report;
/* `goroutines`, `fibers` nullable: it has none. */
void stack_json(struct json *j, const char *key, const struct stack_report *report,
		const struct goroutine_stacks *goroutines, const struct fiber_report *fibers);

/* Frames alone, innermost first, a line each: for those who show a stack as evidence. */
void stack_frames_text(struct page *p, const struct stack_report *report, const struct thread_stack *t,
		       unsigned indent);
/* The same as an array of JSON, of user space alone. */
void stack_frames_json(struct json *j, const char *key, const struct stack_report *report,
		       const struct thread_stack *t);

#endif
