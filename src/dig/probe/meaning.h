/* What names and expressions mean at a probe: types, without code. Of compile.c alone. */
#ifndef OSPREY_DIG_PROBE_MEANING_H
#define OSPREY_DIG_PROBE_MEANING_H

#include "dig/probe/compile.h"

enum builtin {
	BUILTIN_NONE, BUILTIN_PID, BUILTIN_TID, BUILTIN_UID, BUILTIN_CPU, BUILTIN_NS, BUILTIN_CGROUP, BUILTIN_TASK,
	BUILTIN_COMM, BUILTIN_PROBE, BUILTIN_KSTACK, BUILTIN_USTACK, BUILTIN_STACK,
};

enum function { FUNCTION_STR, FUNCTION_HEX, FUNCTION_CAST, FUNCTION_READ };

struct call_meaning {
	enum function function;
	uint8_t bytes;
	bool is_signed;
};

/* An argument of the probe, or a builtin; false: neither. */
bool name_means(const struct compiler *c, struct span name, const struct probe_argument **ret_argument,
		enum builtin *ret_builtin);
/* current.comm and the like: the task's, also where an argument has that name. BUILTIN_NONE: no such. */
enum builtin current_means(const struct expression *e);
bool call_means(struct span name, struct call_meaning *ret);

/* The type of a value; every expression that code is put for has passed it. */
int value_type(struct compiler *c, const struct expression *e, struct probe_value *ret) __attribute__((warn_unused_result));
struct probe_value argument_type(const struct probe_argument *a);
/* Where a member lies in what `left` points to or is. */
struct member_place {
	uint32_t offset; /* bytes */
	uint8_t bit_offset, bits; /* bits 0: no bit field */
	uint32_t btf_type;
};
int member_find(struct compiler *c, const struct expression *e, const struct probe_value *left, struct member_place *ret)
	__attribute__((warn_unused_result));
/* What a pointer points to, or the element of an array; false: not known. */
bool pointee(struct compiler *c, const struct probe_value *v, uint32_t *ret_type, uint32_t *ret_bytes);
/* Of a BTF type: integer, text, struct, array. */
struct probe_value btf_value(struct compiler *c, uint32_t type);

#endif
