/* Weighted stacks merged into a tree: who calls whom, and what it costs.
 *
 * What a weight counts is the caller's: CPU samples, nanoseconds blocked, bytes allocated, threads. Frames are told
 * apart by function, module, file, kind and inlining (`by_line`: by source line too), so two addresses of one function
 * are one frame. Names are interned: each stands once in memory, equal names are equal pointers, and they live as long as
 * the tree. Node 0 is the root, without a frame; a parent's number is always below its children's.
 *
 * Nothing is read here. Cost: ~50 ns a frame of an added stack, nothing is allocated for a stack seen before.
 * Threads: one. */
#ifndef OSPREY_DIG_PROFILE_CALL_TREE_H
#define OSPREY_DIG_PROFILE_CALL_TREE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"

enum call_kind {
	CALL_USER,
	CALL_KERNEL,
	CALL_GO,
	CALL_JIT,
	CALL_GROUP, /* no code: a process, thread, cgroup or thread state; `module` says which of them */
};

enum call_unit { CALL_SAMPLES, CALL_NANOSECONDS, CALL_BYTES, CALL_COUNT };
/* "samples", "nanoseconds", "bytes", "count" */
const char *call_unit_name(enum call_unit u);

struct call_frame {
	const char *function; /* "": no name is known */
	const char *module;   /* "libc.so.6", "[kernel]"; of a group: "process"; "": not known */
	const char *file;     /* "": not known */
	unsigned line;	      /* 0: not known, or not asked for */
	enum call_kind kind;
	bool inlined;	      /* its code stands in its caller's */
};

#define CALL_ROOT 0u
#define CALL_NONE UINT32_MAX

struct call_node {
	uint32_t frame;	 /* CALL_NONE: of the root */
	uint32_t parent; /* CALL_NONE: of the root */
	uint32_t first_child, next_sibling; /* CALL_NONE: no more. Heaviest first once call_tree_sum has run */
	uint64_t self;	/* of stacks that end here */
	uint64_t total; /* with all below; set by call_tree_sum */
	uint64_t before_self, before_total; /* of the profile it is compared with (call_compare.h) */
};

struct call_tree {
	enum call_unit unit;
	bool by_line;
	VEC(struct call_frame) frame;
	VEC(struct call_node) node;
	/* below: its own */
	VEC(uint32_t) next_alike; /* beside frame: the next one of the same hash */
	struct map frames, children, names;
	VEC(struct call_name {
		const char *text;
		uint32_t next_alike;
	}) name;
	VEC(char *) pool;
	size_t pool_left;
};

/* 0 or -ENOMEM. */
int call_tree_init(struct call_tree *t, enum call_unit unit) __attribute__((warn_unused_result));
void call_tree_deinit(struct call_tree *t);

/* The tree's own copy of a name. 0 or -ENOMEM. */
int call_tree_name(struct call_tree *t, struct span name, const char **ret) __attribute__((warn_unused_result));
/* The number of a frame; NULL members count as "". 0 or -ENOMEM. */
int call_tree_frame(struct call_tree *t, const struct call_frame *f, uint32_t *ret) __attribute__((warn_unused_result));
/* The child of a node for a frame, made when there is none. 0 or -ENOMEM. */
int call_tree_child(struct call_tree *t, uint32_t node, uint32_t frame, uint32_t *ret)
	__attribute__((warn_unused_result));
/* Adds a stack of n frames, outermost first, and tells the node that it ends in. 0 or -ENOMEM. */
int call_tree_add(struct call_tree *t, const uint32_t *frames, size_t n, uint64_t weight, uint32_t *ret_node)
	__attribute__((warn_unused_result));
/* Adds all of another tree. 0 or -ENOMEM. */
int call_tree_merge(struct call_tree *t, const struct call_tree *from) __attribute__((warn_unused_result));

/* Works out the totals and puts siblings into order: heaviest first, then by name. */
int call_tree_sum(struct call_tree *t) __attribute__((warn_unused_result));

/* Of a summed tree. */
static inline uint64_t call_tree_total(const struct call_tree *t)
{
	return t->node.v[CALL_ROOT].total;
}

/* The node behind `node` in depth-first order, below `top`; CALL_NONE: no more. `ret_depth`, nullable, goes along. */
uint32_t call_tree_next(const struct call_tree *t, uint32_t top, uint32_t node, unsigned *ret_depth);
/* The frames of a node's stack, outermost first, into *ret (emptied first). */
typedef VEC(uint32_t) call_stack;
int call_tree_stack(const struct call_tree *t, uint32_t node, call_stack *ret) __attribute__((warn_unused_result));

/* A function over all places of the tree. */
struct call_function {
	uint32_t frame;	     /* the first of its frames */
	uint64_t self;	     /* in it */
	uint64_t total;	     /* in it or what it calls; recursion counts once */
	uint64_t before_self, before_total;
};
typedef VEC(struct call_function) call_functions;
/* All functions (no groups), most self first, then total, then name. 0 or -ENOMEM. */
int call_tree_functions(const struct call_tree *t, call_functions *ret) __attribute__((warn_unused_result));

/* Appends "function", "[libc.so.6]" without a name, "[unknown]" without either; as it is, not made safe. */
int call_frame_label(const struct call_frame *f, struct buf *ret) __attribute__((warn_unused_result));

#endif
