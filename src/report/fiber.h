/* Fibers of libospreyrt: as text for people, and as JSON, schema osprey.fibers/1 or a member of osprey.stack/1. */
#ifndef OSPREY_REPORT_FIBER_H
#define OSPREY_REPORT_FIBER_H

#include "dig/stack/fiber_stack.h"
#include "report/stack.h"

struct fiber_report {
	struct stack_report stack;	/* its `groups` and `waits` are not looked at */
	const struct fiber_stacks *fibers;
	bool runtime_frames;		/* those of the runtime itself too */
	bool filtered;			/* not all are meant to be shown */
	/* Called whenever a group, or some hundred fibers, were put: takes the text out, since that of a million is long. Below 0 ends
	 * it, as the error of the page or document. May be NULL. */
	int (*drain)(void *arg);
	void *arg;
};

void fiber_text(struct page *p, const struct fiber_report *report);
/* `key` NULL: a document of its own, or an object of an array, with its schema. */
void fiber_json(struct json *j, const char *key, const struct fiber_report *report);

/* The frames of a stack without those of the runtime: below its public function that was called, and those that started the fiber.
 * With `whole` all. *ret_public: the first one is such a function, and what is inlined into it is the runtime's too. -ENOMEM. */
int fiber_frames(const struct fiber_report *report, const struct fiber_row *f, bool whole, struct thread_stack *ret,
		 bool *ret_public) __attribute__((warn_unused_result));

#endif
