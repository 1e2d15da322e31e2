/* From an expression to BPF instructions, for one variant of a probe (scope.h).
 *
 * First everything is typed, with errors that point at the column; then code is put. A value that could not be read
 * (its page is not in memory, a NULL pointer on the way) is never taken for zero: in a print its bit in `faults` is set,
 * in an aggregate or a filter the hit is left out and counted (struct probe_losses).
 *
 * Memory is read by the address: the upper half is the kernel's. Text ends at its NUL.
 * Needs (kernel): 5.8 (ring buffer), 5.11 for keys over 512 bytes (stacks); raw_tracepoint, kprobe or tracepoint programs. */
#ifndef OSPREY_DIG_PROBE_COMPILE_H
#define OSPREY_DIG_PROBE_COMPILE_H

#include "dig/probe/emit.h"
#include "dig/probe/scope.h"
#include "dig/stack/event_stack.bpf.h"

#define PROBE_TEXT_BYTES 256	/* of a text that is printed, with its NUL */
#define PROBE_KEY_TEXT_BYTES 64 /* of a text that is a key */
#define PROBE_FRAMES 127
#define PROBE_BUCKETS 66 /* 0: negative, 1: zero, 2 + n: from 2^n */
#define PROBE_RECORD_VALUES 32

enum value_kind { VALUE_INTEGER, VALUE_TEXT, VALUE_STRUCT, VALUE_ARRAY, VALUE_SITE, VALUE_STACK };

struct probe_value {
	enum value_kind kind;
	uint8_t bytes; /* of an integer, or of an element of an array */
	bool is_signed;
	bool is_pointer;
	bool hexadecimal;
	bool kernel_stack;
	bool copied_stack; /* of user space, in a record: a struct event_stack; else a struct probe_stack */
	bool untyped; /* a whole register of which nothing is known: number or address */
	bool is_user;	/* its type is one of a program */
	bool target_signed;
	uint8_t target_bytes; /* is_user: of the number that it points to; 0: of none */
	uint32_t btf_type; /* of the integer (a pointer's own type), of the struct, of the array's element; 0: unknown */
	char type[72];	   /* the same as C name, when BTF was not asked; "": unknown */
	uint32_t elements;
	uint16_t text_bytes; /* longest, with NUL */
};

/* Where a value lies in a record or a key. */
struct probe_field {
	struct probe_value value;
	char name[64]; /* as the user wrote it, or the argument's name */
	uint32_t offset, size;
};

struct probe_layout {
	struct probe_field field[PROBE_RECORD_VALUES];
	size_t nfields;
	uint32_t bytes;	     /* of the record, or the key */
	bool value_unsigned; /* of an aggregate's value */
};

/* At the start of each record. */
struct probe_record {
	uint32_t site;
	uint16_t clause, action;
	uint64_t mono_ns;
	uint32_t tid, pid;
	uint64_t faults; /* bit i: field i could not be read; bit 63: a part of more than one */
	char comm[16];
};

/* A stack in a record or a key, as the kernel walks it: of user space by frame pointers. */
struct probe_stack {
	uint64_t head; /* in a record: bytes of `address` that are there; in a key: the process of a user stack, 0 of the
			* kernel's, and addresses end at the first 0 */
	uint64_t address[PROBE_FRAMES];
};

enum probe_loss {
	LOSS_RECORDS,	 /* the ring buffer was full */
	LOSS_KEYS,	 /* the table of an aggregate was full */
	LOSS_UNREADABLE, /* a value or key of an aggregate */
	LOSS_FILTER,	 /* the filter needed what could not be read */
	LOSS_KINDS
};

struct probe_aggregate {
	uint64_t count;
	uint64_t value; /* sum; min and max as probe_aggregate_extreme says; not there for count and histogram */
};
/* The minimum or maximum that `value` stands for. */
int64_t probe_aggregate_extreme(enum action_kind kind, bool value_unsigned, uint64_t value);

struct probe_maps {
	int ring, losses, scratch; /* -1: not there */
	int aggregate[PROBE_ACTIONS_MAX];
};

struct compile_options {
	bool stacks;	      /* --stack */
	bool copy_user_stack; /* printed ones: x86-64; but of user probes needs 5.15 */
	bool cookie;	      /* the site comes from the attach cookie, else it is `site` */
	bool compare_exchange; /* 5.12 */
	/* Attached by uprobe_multi, whose first kernels take a 1 to mean that the probe shall go. On a perf event a 0 means
	 * that nobody else shall see the hit: perf would count nothing while we watch. */
	bool multi;
	uint32_t site;
	uint32_t only_tgid;   /* 0: all; in the first pid namespace */
	uint32_t own_tgid;    /* hits of ours are not printed; 0: no such rule */
	uint64_t namespace_device, namespace_inode; /* pids as this namespace counts; inode 0: the first one */
};

struct compiler {
	const struct probe_clause *clause;
	const struct probe_variant *variant;
	struct kernel_types *types;
	struct compile_options options;
	struct probe_layout layout[PROBE_ACTIONS_MAX];
	struct probe_error *error;
};

/* Types all of it and fills the layouts. 0, -EINVAL with c->error, -ENOMEM. */
int probe_check(struct compiler *c) __attribute__((warn_unused_result));
/* After probe_check. 0, -E2BIG, -ENOMEM. */
int probe_compile(struct compiler *c, const struct probe_maps *maps, struct emit *ret)
	__attribute__((warn_unused_result));
/* Bytes of scratch memory that its keys need; 0: the stack does. */
uint32_t probe_scratch_bytes(const struct compiler *c);
#define PROBE_SCRATCH_SLOTS 32

#endif
