/* What a probe hands over at a hit: its arguments, where they lie and of which type they are.
 *
 * One description for all kinds: fields of a tracepoint's record, registers by the calling convention, operands of
 * USDT, arguments of kernel functions by BTF. Filled by the readers of this folder, used by compile.h. */
#ifndef OSPREY_DIG_PROBE_SCOPE_H
#define OSPREY_DIG_PROBE_SCOPE_H

#include "base/note.h"
#include "dig/probe/language.h"

struct btf;

enum argument_place {
	PLACE_NOWHERE,	    /* of a type that cannot be read here */
	PLACE_CONTEXT,	    /* in the record, at `offset` */
	PLACE_CONTEXT_TEXT, /* char[bytes] there */
	PLACE_DATA_LOC,	    /* there a u32: offset (low half) from the record's start, or, when `constant` is not 0,
			     * from `constant` */
	PLACE_REGISTER,	    /* pt_regs at `offset` */
	PLACE_MEMORY,	    /* user memory at base + index * scale + constant */
	PLACE_CONSTANT,
};

struct probe_argument {
	char name[48]; /* "": has none; arg0… goes by position */
	char type[72]; /* as its description has it: "struct task_struct *" */
	enum argument_place place;
	uint16_t bytes;	  /* of an element */
	uint16_t elements; /* above 1: an array, read by index */
	bool is_signed;
	bool is_pointer;
	bool is_text;	 /* a pointer that is shown as the text behind it */
	bool is_user;	 /* its type is one of a program, not of the kernel */
	bool target_signed;
	uint8_t target_bytes; /* is_user: of the number that a pointer points to; 0: of none */
	int32_t offset;		/* in the context; of PLACE_MEMORY the base register in pt_regs, -1: none */
	int32_t index_register; /* -1: none */
	uint8_t scale;
	int64_t constant;
	uint32_t btf_type; /* of the type itself; 0: by `type` alone */
};
typedef VEC(struct probe_argument) probe_argument_vec;

/* One place where a program is attached. */
struct probe_site {
	char *name;	      /* "tracepoint:sched:sched_switch", "uprobe:/usr/bin/x:main" */
	char *path;	      /* of the file; reached through /proc/PID/root where need be */
	uint64_t offset;      /* in the file; in the kernel function */
	uint64_t semaphore;   /* offset in the file; 0: none */
	char *function;	      /* of the kernel */
	uint64_t id;	      /* of the tracepoint; BTF id of a raw one */
	uint32_t number;      /* over all sites of a session */
};
void probe_site_deinit(struct probe_site *s);

/* Sites with equal arguments: one program serves them all. */
struct probe_variant {
	enum probe_kind kind;
	size_t clause;
	probe_argument_vec argument;
	VEC(struct probe_site) site;
};
typedef VEC(struct probe_variant) probe_variant_vec;
void probe_variants_deinit(probe_variant_vec *v);
/* The variant with just these arguments, which are taken over; NULL without memory (then they are freed). */
struct probe_variant *probe_variant_for(probe_variant_vec *v, enum probe_kind kind, size_t clause,
					probe_argument_vec *argument);

/* The kernel's types, read when first asked for (~20 ms, 10 MB). */
struct kernel_types {
	struct btf *btf;
	bool tried;
	char why[96];
};
void kernel_types_deinit(struct kernel_types *t);
/* NULL: there are none, and t->why says so. */
const struct btf *kernel_types(struct kernel_types *t);
/* A type by its C name ("struct sock *" gives struct sock, "pid_t"); 0: none of that name. */
uint32_t kernel_type_named(struct kernel_types *t, struct span c_name);
/* Arguments of a function prototype, from the `skip`th on; each is at 8 bytes a piece, or in registers. */
int kernel_prototype(struct kernel_types *t, uint32_t proto, unsigned skip, bool in_context, probe_argument_vec *ret)
	__attribute__((warn_unused_result));
/* Of the registers that carry the first six arguments of a call, the stack pointer and the result: their offset in
 * pt_regs of this machine. */
int register_of_argument(unsigned i);
int register_of_result(void);
int register_of_syscall_argument(unsigned i);
/* By its name in assembler ("rax", "eax", "al", "r8d"), and how many bytes of it the name means. -1: unknown. */
int register_named(struct span name, unsigned *ret_bytes);
/* By its number in DWARF; -1: none, or not known on this machine. */
int register_of_dwarf(unsigned number);
int register_of_stack(void);
int register_of_pc(void);

/* arg0 to arg5 in their registers. */
int probe_register_arguments(probe_argument_vec *ret) __attribute__((warn_unused_result));
int probe_result_argument(probe_argument_vec *ret) __attribute__((warn_unused_result));
/* Of a user function whose arguments nothing describes. */
bool probe_goes_by_register(const struct probe_variant *v);

#endif
