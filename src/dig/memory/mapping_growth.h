/* What grew between two looks at a process's memory, mapping by mapping.
 *
 * Pure, but for mapping_uses_find. A mapping is followed by the addresses that it covers, as its kind and name stay the
 * same: one that grew at either end, was split or melted with its neighbour is one row. What was moved (mremap) is
 * two: one is gone, one is new. Cost: sorting the mappings of both looks. */
#ifndef OSPREY_DIG_MEMORY_MAPPING_GROWTH_H
#define OSPREY_DIG_MEMORY_MAPPING_GROWTH_H

#include "dig/memory/malloc_heap.h"
#include "dig/memory/stack_pointer.h"
#include "source/process/process_memory.h"

/* Resident and swapped: what it takes, wherever. NaN: not known. */
double memory_taken_bytes(const struct memory_part *m);

/* What a mapping of no file is for, where that can be told; else all is 0. */
struct mapping_use {
	unsigned threads; /* so many have their stack pointers in it */
	int tid;	  /* one of them */
	char comm[16];	  /* its name */
	uint64_t arena;	  /* it belongs to this one of malloc's (heap_arena.address) */
	unsigned blocks;  /* it is so many of malloc's large blocks, and nothing else */
};

struct mapping_growth {
	uint64_t start, end; /* of what is there now; of one that is gone: as it was */
	enum memory_kind kind;
	struct span name; /* lives as long as both looks */
	double bytes;	  /* taken; below 0: it shrank */
	double now_bytes; /* 0: it is gone */
	struct mapping_use use;
};
typedef VEC(struct mapping_growth) mapping_growths;

/* Largest growth first, none of 0; `use` is zeroed. Both looks were made with `each`. -ENODATA: one of them has no
 * figures of mappings (smaps was not read); -ENOMEM. *ret is replaced on success. */
int mapping_growths_make(const struct process_memory *before, const struct process_memory *now, mapping_growths *ret)
	__attribute__((warn_unused_result));

/* It became another program between the looks: the stack of the first thread ends elsewhere. False where that is not
 * known. */
bool memory_was_replaced(const struct process_memory *before, const struct process_memory *now);

/* Fills `use` of mappings of no file. `heap` is nullable. What cannot be read is left as it is. */
void mapping_uses_find(const struct heap_memory *memory, const struct malloc_heap *heap,
		       const stack_pointers *pointers, mapping_growths *growths);

#endif
