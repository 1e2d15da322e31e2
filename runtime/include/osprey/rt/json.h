/* JSON (RFC 8259) from and into C structs, by their descriptors (osprey/rt/reflect.h).
 *
 * What is what: bool true and false; integers numbers without fraction, exact in all 64 bits (2.0 and 1e3 are
 * not taken for them); floats numbers, that give the same float again; enumerations their words, other values
 * numbers; char * and char[] strings, NULL null; structs objects; a union an object with the member that is
 * there; arrays and lists arrays, a NULL list null when omitted nowhere; pointers what they point to, or
 * null. Fields of functions and undescribed pointers have no key. An array char[n] takes n - 1 bytes; one
 * without `count` exactly n elements.
 *
 * Text is UTF-8, checked in both directions; one byte order mark is not taken. Keys may come in any order. A
 * string with \u0000 is refused, for a C string cannot hold it.
 *
 * Context and stack: as reflect.h. Text is not kept; strings are copies. Cost: one allocation for each
 * string, list and pointer. */
#ifndef OSPREY_RT_JSON_H
#define OSPREY_RT_JSON_H

#include <osprey/rt/reflect.h>

#ifdef __cplusplus
extern "C" {
#endif

enum rt_decode_flag {
	RT_DECODE_UNKNOWN = 1 << 0,	/* keys that no field has are skipped (and checked); else a problem */
	RT_DECODE_LAST = 1 << 1,	/* of a key that comes twice the last one counts; otherwise a problem.
					   Never for one that says which member of a union is there */
};

struct rt_decode_options {
	unsigned flags;
	unsigned depth;			/* of nesting; 0: RT_DEPTH, at most RT_DEPTH_MOST */
	size_t text_bytes;		/* longest text; 0: 1 GiB */
	size_t memory_bytes;		/* most memory for the result; 0: without bound */
	const struct rt_memory *memory;	/* NULL: malloc. Give the same to rt_clear */
};

/* Decodes one value, with nothing but white space after it, into `ret`, which is written only on success:
 * free it by rt_clear. On failure all memory is released, and `ret_problem` (may be NULL) tells. `options`
 * may be NULL.
 * -EBADMSG: not JSON; -EINVAL: not this type; -ERANGE: out of bounds; -EMSGSIZE: a limit; -ENOMEM; -ENOTSUP:
 * a flexible array needs rt_json_decode_new. */
RT_API __attribute__((warn_unused_result)) int rt_json_decode(const struct rt_type *type, const char *text, size_t n,
							      const struct rt_decode_options *options, void *ret,
							      struct rt_problem *ret_problem);

/* The same into memory of its own, to be freed by rt_object_free. */
RT_API __attribute__((warn_unused_result)) int rt_json_decode_new(const struct rt_type *type, const char *text, size_t n,
								  const struct rt_decode_options *options, void **ret,
								  struct rt_problem *ret_problem);

struct rt_encode_options {
	unsigned indent;		/* blanks a level; 0: all on one line without blanks */
	unsigned depth;			/* as above; a cycle ends there */
	bool mask_secrets;		/* strings "***", others null */
};

/* Writes the value through `write`, in parts of up to 1 KiB, without allocating. What was written before a
 * failure has been written. What `write` returned; -EILSEQ: a string is not UTF-8; -EDOM: a number is not
 * finite; -EINVAL: a count is larger than its array, a list has a count and no elements, the union has no
 * such member; -ELOOP: too deep. `options` and `ret_problem` may be NULL. */
RT_API __attribute__((warn_unused_result)) int rt_json_encode(const struct rt_type *type, const void *object,
							      const struct rt_encode_options *options, rt_writer *write,
							      void *arg, struct rt_problem *ret_problem);

/* The same into one text, terminated by '\0', which is the caller's: of `memory`, *ret_n + 1 bytes. -ENOMEM
 * too, and nothing is kept. */
RT_API __attribute__((warn_unused_result)) int rt_json_encode_text(const struct rt_type *type, const void *object,
								   const struct rt_encode_options *options,
								   const struct rt_memory *memory, char **ret, size_t *ret_n,
								   struct rt_problem *ret_problem);

#ifdef __cplusplus
}
#endif
#endif
