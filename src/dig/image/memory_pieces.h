/* Many small pieces of a target's memory, and stacks, read in batches: process_vm_readv takes 1024 of them a
 * call, so that ten thousand stacks cost some ms. From a core file piece by piece. Nothing stops. */
#ifndef OSPREY_DIG_IMAGE_MEMORY_PIECES_H
#define OSPREY_DIG_IMAGE_MEMORY_PIECES_H

#include "base/vec.h"
#include "dig/image/address_space.h"

#define PIECES_MAX 1024 /* pieces of a call: IOV_MAX */
#define STACK_FIRST 65536	   /* bytes of each that are copied at first: of nearly all, what is in use */
#define STACK_MAX (64ull << 20) /* deeper: not believed */

struct memory_piece {
	uint64_t address;
	void *to;
	size_t n;
	bool had; /* all of it was read */
};
/* Those that cannot be read are passed over. */
void memory_pieces_read(const struct address_space *a, struct memory_piece *p, size_t n);

struct copied_stack {
	uint64_t sp, end;
	uint64_t from; /* where the bytes lie: at sp, or, all of them, elsewhere */
	char *bytes; /* from sp on; NULL: not read */
	size_t n;
	size_t at; /* in the batch */
	const struct address_space *space;
	char *page; /* what lies behind the copy is read a page at a time */
	uint64_t page_address;
	size_t page_n; /* 0 unless what lies behind was asked for */
};

struct copied_stacks {
	VEC(struct copied_stack) stack;
	char *bytes;
	size_t total, capacity;
	size_t first; /* bytes of each that are copied at first; 0: STACK_FIRST */
	struct memory_piece *piece; /* beside `stack` */
	size_t npieces;
	char page[16384];
};

int copied_stacks_want(struct copied_stacks *s, uint64_t sp, uint64_t end) __attribute__((warn_unused_result));
/* The same of a stack whose bytes lie elsewhere, at `from`; more than are copied at first are not believed. */
int copied_stacks_want_from(struct copied_stacks *s, uint64_t sp, uint64_t end, uint64_t from) __attribute__((warn_unused_result));
/* -ENOMEM. */
int copied_stacks_read(struct copied_stacks *s, const struct address_space *a) __attribute__((warn_unused_result));
/* For the next batch; storage is kept. */
void copied_stacks_clear(struct copied_stacks *s);
void copied_stacks_deinit(struct copied_stacks *s);
/* For struct unwind_memory: arg is a struct copied_stack. */
int copied_stack_read(void *arg, uint64_t address, void *to, size_t n);

#endif
