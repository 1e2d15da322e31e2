/* Lines of the probe language as anyone may type them, compiled as far as a kernel is not needed; the formats that
 * describe what can be probed. */
#include <stdlib.h>

#include "dig/probe/compile.h"
#include "dig/probe/tracepoint.h"
#include "dig/probe/usdt.h"
#include "dig/probe/user_file.h"

static probe_argument_vec arguments(void)
{
	probe_argument_vec v = { 0 };
	static const struct probe_argument all[] = {
		{ .name = "a", .place = PLACE_CONTEXT, .bytes = 8, .is_signed = true, .offset = 8, .index_register = -1 },
		{ .name = "b", .place = PLACE_CONTEXT, .bytes = 4, .offset = 17, .index_register = -1 },
		{ .name = "c", .place = PLACE_CONTEXT_TEXT, .bytes = 16, .offset = 32, .index_register = -1 },
		{ .name = "d", .place = PLACE_DATA_LOC, .bytes = 4, .offset = 48, .index_register = -1 },
		{ .name = "e", .place = PLACE_REGISTER, .bytes = 8, .is_signed = true, .offset = 16, .index_register = -1 },
		{ .name = "f", .place = PLACE_MEMORY, .bytes = 2, .offset = 16, .index_register = 24, .scale = 4, .constant = -9 },
		{ .name = "g", .place = PLACE_CONSTANT, .bytes = 8, .constant = INT64_MIN, .offset = -1, .index_register = -1 },
		{ .name = "h", .place = PLACE_CONTEXT, .bytes = 8, .elements = 6, .offset = 64, .index_register = -1 },
		{ .name = "i", .type = "a float", .place = PLACE_NOWHERE, .bytes = 8, .index_register = -1 },
		{ .name = "j", .type = "struct x *", .place = PLACE_CONTEXT, .bytes = 8, .is_pointer = true, .index_register = -1 },
	};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct probe_argument *a = vec_push(&v);
		if (!a)
			abort();
		*a = all[i];
	}
	return v;
}

static void fuzz_program(struct span text)
{
	struct kernel_types types = { .tried = true, .why = "none" };
	struct probe_error error = { .text = "" };
	struct probe_program *p = NULL;

	if (probe_parse(text, &p, &error) < 0) {
		if (error.column > text.n)
			abort();
		return;
	}
	for (size_t i = 0; i < p->nclauses; i++) {
		struct probe_variant v = { .kind = p->clause[i].spec.kind };
		probe_argument_vec a = arguments();
		struct compiler c = { .clause = &p->clause[i], .variant = &v, .types = &types, .error = &error,
				      .options = { .stacks = text.n & 1, .cookie = text.n & 2, .compare_exchange = text.n & 4 } };
		struct probe_maps maps = { 3, 4, 5, { 6, 7, 8, 9, 10, 11, 12, 13 } };
		struct emit code = { 0 };

		v.argument.v = a.v;
		v.argument.n = a.n;
		if (probe_check(&c) == 0 && probe_compile(&c, &maps, &code) == 0)
			for (size_t j = 0; j < code.code.n; j++)
				if ((code.code.v[j].code & 7) == BPF_JMP && code.code.v[j].off < 0)
					abort();
		emit_deinit(&code);
		vec_free(&a);
	}
	probe_program_free(p);
}

static bool no_symbol(void *arg, struct span name, uint64_t *ret)
{
	(void)arg;
	*ret = name.n;
	return name.n & 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct usdt_symbols symbols = { no_symbol, NULL, 4096 };
	probe_argument_vec arguments_read = { 0 };
	usdt_vec notes = { 0 };
	struct probe_spec spec;
	struct probe_error error;
	char path[64];
	uint64_t id;

	fuzz_program(text);
	(void)!probe_spec_parse(text, true, &spec, &error);
	(void)!tracepoint_format_parse(text, &id, &arguments_read);
	vec_free(&arguments_read);
	(void)!usdt_arguments_parse(text, &symbols, &arguments_read);
	vec_free(&arguments_read);
	(void)!usdt_notes_parse(text, &notes);
	vec_free(&notes);
	(void)!loader_cache_find(text, SPAN("libc"), path, sizeof path);
	return 0;
}
