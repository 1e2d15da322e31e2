/* Many small pieces of a target's memory, and stacks, read in batches: process_vm_readv takes 1024 of them a
 * call, so that ten thousand stacks cost some ms. From a core file piece by piece. Nothing stops. Within
 * dig/go. */
#ifndef OSPREY_DIG_GO_GO_MEMORY_H
#define OSPREY_DIG_GO_GO_MEMORY_H

#include "base/vec.h"
#include "dig/image/address_space.h"

#define GO_BATCH 1024 /* pieces of a call: IOV_MAX */
#define GO_STACK_FIRST 65536	   /* bytes of each that are copied at first: of nearly all, what is in use */
#define GO_STACK_MAX (64ull << 20) /* deeper: not believed */

struct go_piece {
	uint64_t address;
	void *to;
	size_t n;
	bool had; /* all of it was read */
};
/* Those that cannot be read are passed over. */
void go_memory_read(const struct address_space *a, struct go_piece *p, size_t n);

struct go_stack {
	uint64_t sp, end;
	char *bytes; /* from sp on; NULL: not read */
	size_t n;
	size_t at; /* in the batch */
	const struct address_space *space;
	char *page; /* what lies behind the copy is read a page at a time */
	uint64_t page_address;
	size_t page_n;
};

struct go_stacks {
	VEC(struct go_stack) stack;
	char *bytes;
	size_t total, capacity;
	char page[16384];
};

int go_stacks_want(struct go_stacks *s, uint64_t sp, uint64_t end) __attribute__((warn_unused_result));
/* -ENOMEM. */
int go_stacks_read(struct go_stacks *s, const struct address_space *a) __attribute__((warn_unused_result));
/* For the next batch; storage is kept. */
void go_stacks_clear(struct go_stacks *s);
void go_stacks_deinit(struct go_stacks *s);
/* For struct unwind_memory: arg is a struct go_stack. */
int go_stack_read(void *arg, uint64_t address, void *to, size_t n);
/* The runtime's nanotime: CLOCK_MONOTONIC. */
uint64_t go_memory_now_ns(void);

#endif
