#include "dig/probe/usdt.h"

#include <errno.h>

#include "base/check.h"

static bool find(void *arg, struct span name, uint64_t *ret)
{
	(void)arg;
	if (!span_is(name, "counter"))
		return false;
	*ret = 0x4000;
	return true;
}

static const struct usdt_symbols symbols = { find, NULL, 0x1000 };

#ifdef __x86_64__
static int reg(const char *name)
{
	unsigned bytes;
	return register_named(span_from(name), &bytes);
}

static void test_operands(void)
{
	const struct {
		const char *text;
		enum argument_place place;
		unsigned bytes;
		bool is_signed;
		int base, index;
		unsigned scale;
		int64_t constant;
	} cases[] = {
		{ "-4@%eax", PLACE_REGISTER, 4, true, reg("rax"), -1, 0, 0 },
		{ "1@%sil", PLACE_REGISTER, 1, false, reg("rsi"), -1, 0, 0 },
		{ "8@%r13", PLACE_REGISTER, 8, false, reg("r13"), -1, 0, 0 },
		{ "-2@%r9w", PLACE_REGISTER, 2, true, reg("r9"), -1, 0, 0 },
		{ "-4@$-5", PLACE_CONSTANT, 4, true, -1, -1, 0, -5 },
		{ "4@$-1", PLACE_CONSTANT, 4, false, -1, -1, 0, 0xffffffff },
		{ "8@$0x10", PLACE_CONSTANT, 8, false, -1, -1, 0, 16 },
		{ "8@(%rdi)", PLACE_MEMORY, 8, false, reg("rdi"), -1, 1, 0 },
		{ "-4@-20(%rbp)", PLACE_MEMORY, 4, true, reg("rbp"), -1, 1, -20 },
		{ "-8@(%rax,%rbp,8)", PLACE_MEMORY, 8, true, reg("rax"), reg("rbp"), 8, 0 },
		{ "2@0x18(%rsp, %rcx, 2)", PLACE_MEMORY, 2, false, reg("rsp"), reg("rcx"), 2, 24 },
		{ "8@16(,%rdx,4)", PLACE_MEMORY, 8, false, -1, reg("rdx"), 4, 16 },
		{ "-4@counter(%rip)", PLACE_MEMORY, 4, true, reg("rip"), -1, 1, 0x3000 },
		{ "8@counter+8(%rip)", PLACE_MEMORY, 8, false, reg("rip"), -1, 1, 0x3008 },
		{ "8@16+counter(%rip)", PLACE_MEMORY, 8, false, reg("rip"), -1, 1, 0x3010 },
		{ "8f@%xmm0", PLACE_NOWHERE, 8, false, -1, -1, 0, 0 },
		{ "8@%fs:16(%rax)", PLACE_NOWHERE, 8, false, -1, -1, 0, 0 },
		{ "3@%eax", PLACE_NOWHERE, 8, false, -1, -1, 0, 0 },
		{ "8@nowhere(%rip)", PLACE_NOWHERE, 8, false, -1, -1, 0, 0 },
		{ "8@(%rax,%rbx,16)", PLACE_NOWHERE, 8, false, -1, -1, 0, 0 },
		{ "8@", PLACE_NOWHERE, 8, false, -1, -1, 0, 0 },
		{ "%rdx", PLACE_REGISTER, 8, false, reg("rdx"), -1, 0, 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		probe_argument_vec v = { 0 };

		CHECK(usdt_arguments_parse(span_from(cases[i].text), &symbols, &v) == 0 && v.n == 1);
		const struct probe_argument *a = &v.v[0];
		bool good = a->place == cases[i].place && a->bytes == cases[i].bytes && a->is_signed == cases[i].is_signed &&
			    a->index_register == cases[i].index && (a->place == PLACE_NOWHERE || a->constant == cases[i].constant) &&
			    a->offset == cases[i].base && (a->place != PLACE_MEMORY || a->scale == cases[i].scale);
		CHECK(good);
		if (!good)
			fprintf(stderr, "%s: place %d bytes %u base %d index %d scale %d constant %lld\n", cases[i].text, a->place,
				a->bytes, a->offset, a->index_register, a->scale, (long long)a->constant);
		vec_free(&v);
	}
}
#endif

static void test_several(void)
{
	probe_argument_vec v = { 0 };

	CHECK(usdt_arguments_parse(SPAN("8@%rax  -4@4(%rbp, %rbx) 1@$7"), &symbols, &v) == 0);
	CHECK_U64(v.n, 3);
	CHECK(v.n == 3 && strcmp(v.v[2].name, "arg2") == 0 && v.v[2].constant == 7);
	vec_free(&v);
	CHECK(usdt_arguments_parse(SPAN(""), &symbols, &v) == 0 && v.n == 0);
}

static void test_notes(void)
{
	struct {
		uint32_t head[3];
		char owner[8];
		uint64_t word[3];
		char text[28];
	} __attribute__((packed)) note = { { 8, 24 + 25, 3 }, "stapsdt", { 0x1234, 0x2000, 0x3000 }, "provider\0name\0-4@%eax a\0" };
	usdt_vec v = { 0 };
	struct span bytes = { (const char *)&note, sizeof note };

	CHECK(usdt_notes_parse(bytes, &v) == 0);
	CHECK(v.n == 1 && v.v[0].address == 0x1234 && v.v[0].semaphore == 0x3000 && span_is(v.v[0].provider, "provider") &&
	      span_is(v.v[0].name, "name"));
	/* Cut anywhere: no more than was whole, and nothing beyond the bytes. */
	for (size_t n = 0; n < bytes.n; n++) {
		usdt_vec cut = { 0 };
		char *copy = malloc(n + 1);

		memcpy(copy, &note, n);
		(void)!usdt_notes_parse((struct span){ copy, n }, &cut);
		CHECK(cut.n <= 1);
		vec_free(&cut);
		free(copy);
	}
	vec_free(&v);
}

int main(void)
{
#ifdef __x86_64__
	test_operands();
#endif
	test_several();
	test_notes();
	return check_exit();
}
