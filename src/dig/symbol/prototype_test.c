/* Prototypes of this program's own functions: names, types, and registers as the convention has them. */
#include "dig/symbol/prototype.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "dig/image/elf_image.h"

#ifdef __clang__ /* it makes no clones */
#define KEPT __attribute__((noinline, used))
#else
#define KEPT __attribute__((noinline, noclone, used))
#endif
#define ALIVE(...) __asm__ volatile("" : : __VA_ARGS__ : "memory")

struct pair {
	int a;
	long b;
};
struct floats {
	double a, b;
};
struct mixed {
	double a;
	int b;
};
struct large {
	long a[3];
};
enum colour { RED, GREEN };
typedef unsigned short port_number;

KEPT static int numbers(signed char a, const char *text, port_number port, int *out, enum colour c, _Bool flag, long seventh,
			struct pair *eighth)
{
	ALIVE("r"(text), "r"(out), "r"(eighth));
	return a + port + (int)c + flag + (int)seventh;
}
KEPT static void by_value(struct pair two, double d, struct floats none, struct mixed one, struct large stack, unsigned last,
			  short above)
{
	ALIVE("r"(&two), "r"(&none), "r"(&one), "r"(&stack), "m"(d), "m"(last), "m"(above));
}
KEPT static struct large hidden(int first)
{
	return (struct large){ { first, 2, 3 } };
}
__attribute__((format(printf, 1, 2))) KEPT static int variadic(const char *format, ...)
{
	ALIVE("r"(format));
	return 1;
}
KEPT static double fraction(unsigned __int128 wide, long double on_stack, char ***deep)
{
	ALIVE("r"(deep), "m"(on_stack), "m"(wide));
	return 0.5;
}

#ifdef __x86_64__
extern char __executable_start;

static uint64_t address_of(const struct elf_image *e, uintptr_t function)
{
	return function - (uintptr_t)&__executable_start + e->segment[0].p_vaddr * (e->header.e_type == ET_EXEC);
}

static void expect(const struct parameter *p, const char *name, const char *type, enum parameter_where where, unsigned at,
		   unsigned bytes, bool is_signed)
{
	CHECK_STR(p->name, name);
	CHECK_STR(p->type, type);
	CHECK(p->where == where);
	CHECK(where == PARAMETER_NOWHERE || p->at == at);
	CHECK(p->bytes == bytes && p->is_signed == is_signed);
}

enum { RAX = 0, RDX = 1, RCX = 2, RSI = 4, RDI = 5 };

static void check_numbers(struct lines *l, const struct elf_image *e)
{
	struct prototype f;

	CHECK(prototype_read(l, address_of(e, (uintptr_t)numbers), false, &f) == 0);
	CHECK(f.n == 8 && !f.variadic && f.registers == 6);
	expect(&f.parameter[0], "a", "signed char", PARAMETER_REGISTER, RDI, 1, true);
	expect(&f.parameter[1], "text", "const char *", PARAMETER_REGISTER, RSI, 8, false);
	CHECK(f.parameter[1].is_text && f.parameter[1].is_pointer);
	expect(&f.parameter[2], "port", "port_number", PARAMETER_REGISTER, RDX, 2, false);
	expect(&f.parameter[3], "out", "int *", PARAMETER_REGISTER, RCX, 8, false);
	CHECK(f.parameter[3].target_bytes == 4 && f.parameter[3].target_signed && !f.parameter[3].is_text);
	expect(&f.parameter[4], "c", "enum colour", PARAMETER_REGISTER, 8, 4, false);
	expect(&f.parameter[5], "flag", "_Bool", PARAMETER_REGISTER, 9, 1, false);
	expect(&f.parameter[7], "eighth", "struct pair *", PARAMETER_STACK, 16, 8, false);
	CHECK(f.parameter[6].where == PARAMETER_STACK && f.parameter[6].at == 8 && f.parameter[7].target_bytes == 0);
	expect(&f.result, "", "int", PARAMETER_REGISTER, RAX, 4, true);
}

static void check_structs(struct lines *l, const struct elf_image *e)
{
	struct prototype f;

	/* two: rdi, rsi; d and none: vectors; one: a vector and rdx; stack: 24 bytes of it; last: rcx; above: r8. */
	CHECK(prototype_read(l, address_of(e, (uintptr_t)by_value), false, &f) == 0);
	CHECK(f.n == 7 && f.registers == 5);
	expect(&f.parameter[0], "two", "struct pair", PARAMETER_NOWHERE, 0, 0, false);
	expect(&f.parameter[1], "d", "double", PARAMETER_NOWHERE, 0, 0, false);
	expect(&f.parameter[4], "stack", "struct large", PARAMETER_NOWHERE, 0, 0, false);
	expect(&f.parameter[5], "last", "unsigned int", PARAMETER_REGISTER, RCX, 4, false);
	CHECK(f.parameter[6].where == PARAMETER_REGISTER && f.parameter[6].at == 8 && f.parameter[6].bytes == 2);
	CHECK(strcmp(f.result.type, "void") == 0 && f.result.where == PARAMETER_NOWHERE);

	CHECK(prototype_read(l, address_of(e, (uintptr_t)hidden), false, &f) == 0);
	CHECK(f.n == 1 && f.registers == 2);
	expect(&f.parameter[0], "first", "int", PARAMETER_REGISTER, RSI, 4, true);
	CHECK(f.result.where == PARAMETER_NOWHERE && strcmp(f.result.type, "struct large") == 0);
}

static void check_others(struct lines *l, const struct elf_image *e)
{
	struct prototype f = { .n = 7 };

	CHECK(prototype_read(l, address_of(e, (uintptr_t)variadic) + 1, false, &f) == -ENOENT && f.n == 7);
	CHECK(prototype_read(l, address_of(e, (uintptr_t)variadic), false, &f) == 0);
	CHECK(f.n == 1 && f.variadic && f.registers == 1);
	CHECK(prototype_read(l, address_of(e, (uintptr_t)fraction), false, &f) == 0);
	CHECK(f.n == 3 && f.result.where == PARAMETER_NOWHERE && strcmp(f.result.type, "double") == 0);
	CHECK(f.parameter[0].where == PARAMETER_NOWHERE && f.parameter[1].where == PARAMETER_NOWHERE);
	expect(&f.parameter[2], "deep", "char ***", PARAMETER_REGISTER, RDX, 8, false);
}

int main(void)
{
	struct elf_image *e = NULL;
	struct lines *l = NULL;

	CHECK(elf_image_open("/proc/self/exe", &e, NULL) == 0);
	CHECK(lines_open(e, true, &l) == 0);
	check_numbers(l, e);
	check_structs(l, e);
	check_others(l, e);
	lines_close(l);
	elf_image_free(e);
	return check_exit();
}
#else
int main(void)
{
	struct prototype f = { .n = 7 };

	CHECK(prototype_read(NULL, 1, false, &f) == -ENOENT && f.n == 7);
	return check_exit();
}
#endif
