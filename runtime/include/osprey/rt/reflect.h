/* Types known at run time: descriptors of annotated C types, and what they alone suffice for.
 *
 * A type is annotated behind its declaration; that costs nothing in the program but text in a section that is
 * not loaded:
 *
 *	struct order {
 *		uint64_t id;
 *		char *customer;
 *		struct item *items;
 *		uint32_t nitems;
 *	};
 *	RT_REFLECT(struct order,
 *		(id, required, min = 1),
 *		(customer, name = "customer-name", omitempty),
 *		(items, count = nitems));
 *
 * osprey-rt-types(1) reads the object file, compiled with -g, and writes a C source with the descriptor
 * RT_TYPE(struct order). Types that an annotated one is made of are described with it. gcc >= 7, clang >= 7;
 * C and C++; little endian.
 *
 * What can stand in the parentheses, behind the member it is about (macros are expanded, constants of
 * enumerations are known):
 *
 *	name = "x"	its key in JSON and TOML; of an enumerator: its word
 *	required	decoding fails without it, or with null
 *	omitempty	not encoded when zero, NULL or of no elements
 *	initial = V	the value when decoding finds none (number, "text", true, false, enumerator)
 *	min = V, max = V	bounds of a number; of the length of a string (bytes) and of an array
 *	count = M	a pointer or array of as many elements as member M says; M itself is not encoded
 *	has = M		a member of a type bool that says whether this one is there; M itself is not encoded
 *	bytes		an array of char that is not text: its elements are numbers
 *	one		a pointer to char: one char, not text
 *	secret		the printer does not show it
 *	borrowed	of others: not decoded, encoded or freed; copied and compared by its address
 *	skip		no part of the description: neither decoded nor encoded, copied, compared nor printed
 *	unit = "ms"	printed behind the value
 *	by = M		of a union: the member M tells which of its members is there
 *	case = V	of a member of such a union: when M has this value
 *
 * For an anonymous union `by` and `case` stand in the outer type. Members of a member without a type name of
 * its own are named with a point: (payload.card, case = 1). An enumeration takes (*, prefix = "ORDER_"),
 * which is left out of the words, and (*, lower).
 *
 * Ownership: descriptors are constant data. Everything here may be called anywhere, in fibers or not, and
 * does not block but in callbacks of the caller; no function keeps anything. Values are read and written
 * without locks: nobody else may change them meanwhile. A level of nesting takes up to 1 KiB of stack; depths
 * are bounded, see RT_DEPTH. */
#ifndef OSPREY_RT_REFLECT_H
#define OSPREY_RT_REFLECT_H

#include <stdbool.h>
#include <osprey/rt/fiber.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RT_REFLECT_TEXT_(...) #__VA_ARGS__
#define RT_REFLECT_TEXT(...) RT_REFLECT_TEXT_(__VA_ARGS__)
#define RT_REFLECT_PASTE_(a, b) a##b
#define RT_REFLECT_PASTE(a, b) RT_REFLECT_PASTE_(a, b)
/* "struct order" is two words, the name of a typedef one: rt_type_struct_order, rt_type_order_t. */
#define RT_REFLECT_struct 0, struct_,
#define RT_REFLECT_union 0, union_,
#define RT_REFLECT_enum 0, enum_,
#define RT_REFLECT_SYMBOL__(a, b, c, ...) rt_type_##b##c
#define RT_REFLECT_SYMBOL_(...) RT_REFLECT_SYMBOL__(__VA_ARGS__)
#define RT_REFLECT_SYMBOL(T) RT_REFLECT_SYMBOL_(RT_REFLECT_##T, T, , )
#define RT_REFLECT_FIRST_(T, ...) T
#define RT_REFLECT_FIRST(...) RT_REFLECT_FIRST_(__VA_ARGS__, )
/* The array without elements makes the compiler describe the type in its debug information. */
#define RT_REFLECT_(T, ...)                                                                                            \
	__extension__ static T RT_REFLECT_PASTE(rt_reflect_, __COUNTER__)[0] __attribute__((used));                    \
	__asm__(".pushsection .rt_tags,\"\",%progbits\n\t.ascii " RT_REFLECT_TEXT(__FILE__) "\n\t"                     \
		".asciz \":" RT_REFLECT_TEXT(__LINE__) "\"\n\t.asciz " RT_REFLECT_TEXT(__VA_ARGS__) "\n\t.popsection"); \
	extern const struct rt_type RT_REFLECT_SYMBOL(T)

#define RT_REFLECT(...) RT_REFLECT_(RT_REFLECT_FIRST(__VA_ARGS__), RT_REFLECT_TEXT(__VA_ARGS__))
#define RT_TYPE(T) (&RT_REFLECT_SYMBOL(T))

/* Descriptors. Their layout is version 1 of the format for those who look from outside, see
 * RT_TYPES_VERSION. */

enum rt_kind {
	RT_KIND_BOOL = 1,
	RT_KIND_SIGNED,		/* size 1, 2, 4, 8 */
	RT_KIND_UNSIGNED,
	RT_KIND_FLOAT,		/* size 4, 8 */
	RT_KIND_ENUM,		/* enumerators; is_signed */
	RT_KIND_STRUCT,		/* fields */
	RT_KIND_UNION,		/* fields: one of them is there, see `pick` */
	RT_KIND_STRING,		/* char *, to '\0'; may be NULL */
	RT_KIND_TEXT,		/* char[count], to '\0' */
	RT_KIND_ARRAY,		/* element[count]; the field's `count`, if there, says how many are used */
	RT_KIND_LIST,		/* pointer to as many elements as the field's `count` says; may be NULL */
	RT_KIND_TAIL,		/* element[] at the end of a struct, as many as the field's `count` says */
	RT_KIND_POINTER,	/* to one element, or NULL; without element: to what is not described */
	RT_KIND_FUNCTION,	/* pointer to a function */
};

enum rt_field_flag {
	RT_FIELD_REQUIRED = 1 << 0,
	RT_FIELD_OMIT_EMPTY = 1 << 1,
	RT_FIELD_INITIAL = 1 << 2,	/* `initial` is meant */
	RT_FIELD_MIN = 1 << 3,
	RT_FIELD_MAX = 1 << 4,
	RT_FIELD_SECRET = 1 << 5,
	RT_FIELD_BORROWED = 1 << 6,
	RT_FIELD_HIDDEN = 1 << 7,	/* no key: the count of another, or whether another is there */
	RT_FIELD_PICKED = 1 << 8,	/* there only if field `by` has the value `pick` */
	RT_FIELD_OPAQUE = 1 << 9,	/* no key: nothing that text can tell */
	RT_FIELD_PLAIN_KEY = 1 << 10,	/* its key is printable ASCII without quote and backslash */
};

/* By the kind of the field's type: FLOAT takes d, STRING and TEXT take s as initial value and u as bounds,
 * arrays u. */
union rt_value {
	int64_t i;
	uint64_t u;
	double d;
	const char *s;
};

struct rt_enumerator {
	const char *name;		/* in C */
	const char *word;		/* in JSON, TOML and print */
	int64_t value;
};

struct rt_field {
	const char *name;		/* in C; anonymous members are part of the outer type, not "a.b" */
	const char *key;		/* in JSON and TOML */
	const struct rt_type *type;
	uint32_t offset;		/* bytes; of a bit-field the byte of its first bit */
	uint8_t bit;			/* of a bit-field: its first bit in that byte */
	uint8_t bits;			/* of a bit-field: its width; otherwise 0 */
	uint16_t key_bytes;
	uint32_t flags;			/* enum rt_field_flag */
	int16_t count;			/* index of the field that says how many elements, or -1 */
	int16_t has;			/* index of the field that says whether it is there, or -1 */
	int16_t by;			/* of the field that says which member of the union is there,
					 * or (PICKED) whether this one is; or -1 */
	int16_t reserved;
	int64_t pick;			/* PICKED, and members of a union: the value of the one that says */
	union rt_value initial, min, max;
	const char *unit;		/* or NULL */
};

struct rt_type {
	const char *name;		/* "struct order", "uint32_t"; of those without a name "" */
	uint8_t kind;			/* enum rt_kind */
	uint8_t is_signed;
	uint16_t align;
	uint32_t size;			/* bytes */
	uint32_t count;			/* of elements, fields or enumerators */
	uint32_t reserved;
	const struct rt_type *element;
	const struct rt_field *fields;
	const struct rt_enumerator *enumerators;
	const char *origin;		/* "file:line" of the declaration, or "" */
};

/* What is described in this program or library, for those who look from outside: an ELF note, owner "osprey",
 * type RT_TYPES_NOTE, in a section .note.osprey.types, whose descriptor is
 *
 *	uint32 version			RT_TYPES_VERSION
 *	uint32 type, field, enumerator	bytes of the three structs above: fields are only added at the ends
 *	int64 root			the distance from this very word to the struct rt_types
 *
 * Its pointers are addresses in the process, and in a core file of it; in a file at rest they are relocated
 * only where the program is not position independent. */
#define RT_TYPES_NOTE 0x52545431
#define RT_TYPES_VERSION 1

struct rt_types {
	uint64_t count;
	const struct rt_type *const *types;
};

/* Memory for what is made from text or copied. `allocate` returns memory for any type, or NULL; `release` may
 * be NULL (an arena, which its owner empties). A NULL struct rt_memory * means malloc and free. */
struct rt_memory {
	void *(*allocate)(void *arg, size_t bytes);
	void (*release)(void *arg, void *p, size_t bytes);
	void *arg;
};

/* Receives the next part of an output; what it returns but 0 ends the output and is its result. */
typedef int rt_writer(void *arg, const char *bytes, size_t n);

/* Where and why a text or a value was not taken. */
struct rt_problem {
	size_t offset;			/* bytes from the start of the text; 0 for values */
	unsigned line, column;		/* from 1; columns count bytes */
	char path[128];			/* "$.items[3].price"; a long one is cut in the middle */
	char reason[128];		/* "expected a number, got a string" */
};

#define RT_DEPTH 32			/* levels of nesting, where an option `depth` is 0 */
#define RT_DEPTH_MOST 200		/* more than a fiber's default stack has room for: RT_STACK_LARGE */

/* The field of a struct by its name in C, or NULL. */
RT_API const struct rt_field *rt_type_field(const struct rt_type *type, const char *name);

/* The value of an integer, enumeration or bool field of the struct at `object`, bit-fields included. -EINVAL:
 * another kind. */
RT_API __attribute__((warn_unused_result)) int rt_field_integer(const struct rt_field *field, const void *object, int64_t *ret);

/* Frees what the object owns by its pointers, all levels, and makes these NULL; not the object itself. What
 * two pointers lead to is misuse: one of them has to be borrowed. Lists chained by a pointer to their own
 * type, the last such member, may be of any length; otherwise it goes as deep as the value. */
RT_API void rt_clear(const struct rt_type *type, void *object, const struct rt_memory *memory);

/* A copy of all that the object owns, made into `ret`, which is written only on success. Borrowed pointers
 * are copied as they are, what is skipped is zero. -ENOMEM; -ELOOP: a cycle, or deeper than RT_DEPTH_MOST
 * (chains as in rt_clear may be longer); -EINVAL: a count larger than its array, or a flexible array:
 * copy_new is for these. */
RT_API __attribute__((warn_unused_result)) int rt_copy(const struct rt_type *type, const void *object,
						       const struct rt_memory *memory, void *ret);

/* The same for an object of its own allocation, with its flexible array. To be released with its
 * rt_object_bytes. */
RT_API __attribute__((warn_unused_result)) int rt_copy_new(const struct rt_type *type, const void *object,
							   const struct rt_memory *memory, void **ret);

/* Frees an object of its own allocation and all it owns. NULL is fine. */
RT_API void rt_object_free(const struct rt_type *type, void *object, const struct rt_memory *memory);

/* Size of the object with its flexible array. */
RT_API size_t rt_object_bytes(const struct rt_type *type, const void *object);

/* Whether two objects have the same value, pointers followed: 1, 0; -ELOOP. Padding does not count, numbers
 * compare as by ==, but a NaN is equal to a NaN. */
RT_API __attribute__((warn_unused_result)) int rt_equal(const struct rt_type *type, const void *a, const void *b);

/* The offsets in an object where pointers are, ascending, nested structs and arrays included; those in a
 * union too (a word there may be a pointer). Without functions. Writes at most `n` of them and returns how
 * many there are. The elements of a flexible array are not among them: they begin at the offset of that
 * field. -EINVAL: no such type; -ENOMEM. */
RT_API long rt_type_pointers(const struct rt_type *type, uint32_t *ret_offsets, size_t n);

/* Where the printer reads memory: 0, or -EFAULT when there is none. */
typedef int rt_reader(void *arg, uint64_t address, void *ret, size_t bytes);

struct rt_print_options {
	unsigned depth;			/* levels of pointers followed; 0: 4 */
	unsigned elements;		/* of an array or list shown; 0: 16 */
	unsigned string_bytes;		/* of a string shown; 0: 128 */
	rt_reader *read;			/* NULL: of this process, by process_vm_readv: wild pointers
						 * are told, not followed */
	void *arg;
	bool secrets;			/* show them */
};

/* A readable text of a value, over several lines, for people: names of C, pointers followed as far as the
 * options say, what was shown above is named by its address, secrets are masked, what cannot be read says so.
 * What `write` returned, -ENOMEM never: no memory is needed. `options` may be NULL. */
RT_API __attribute__((warn_unused_result)) int rt_print(const struct rt_type *type, const void *object,
							const struct rt_print_options *options, rt_writer *write, void *arg);

#ifdef __cplusplus
}
#endif
#endif
