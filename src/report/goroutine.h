/* Goroutines: as text for people and as a member of the JSON of osprey.stack/1. */
#ifndef OSPREY_REPORT_GOROUTINE_H
#define OSPREY_REPORT_GOROUTINE_H

#include "dig/stack/goroutine_stack.h"
#include "report/stack.h"

void goroutine_text(struct page *p, const struct stack_report *report, const struct goroutine_stacks *g);
void goroutine_json(struct json *j, const char *key, const struct stack_report *report,
		    const struct goroutine_stacks *g);

#endif
