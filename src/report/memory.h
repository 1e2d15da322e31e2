/* One process's memory, for people and as JSON (docs/memory-json.md): kinds, files, the malloc heap, and what grew. */
#ifndef OSPREY_REPORT_MEMORY_H
#define OSPREY_REPORT_MEMORY_H

#include "base/json.h"
#include "dig/memory/malloc_heap.h"
#include "dig/memory/mapping_growth.h"
#include "report/page.h"
#include "source/process/process_memory.h"

struct memory_report {
	int pid;
	const char *name;
	const struct process_memory *now;
	const struct process_memory *before; /* NULL: there was one look */
	double seconds;			     /* between the two */
	const mapping_growths *mappings;     /* what grew; NULL: one look, or not known for want of smaps */
	const struct malloc_heap *heap;
	int heap_error; /* 0, or why there is none: of process_heap_read */
};

/* What grew or shrank: a kind, or a file of `now`. */
struct memory_growth {
	const char *kind; /* NULL: a file */
	struct span file;
	double bytes; /* resident and swapped; below 0: shrank */
};
/* Largest growth first, none of 0. -ENOMEM. */
typedef VEC(struct memory_growth) memory_growths;
int memory_growths_make(const struct memory_report *r, memory_growths *ret) __attribute__((warn_unused_result));
double memory_growth_total(const struct memory_report *r);

/* Why there is no heap: "not measurable: …" without these words. */
const char *memory_heap_reason(int error);

/* -ENOMEM. */
int memory_text(struct page *p, const struct memory_report *r) __attribute__((warn_unused_result));
int memory_json(struct json *j, const struct memory_report *r) __attribute__((warn_unused_result));

#endif
