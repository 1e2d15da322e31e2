#include "dig/symbol/kernel_names.h"

#include <errno.h>

#include "base/check.h"
#include "dig/symbol/kernel_symbols.h"

static void parses(void)
{
	struct kernel_name n;

	CHECK(kernel_name_parse(SPAN("do_futex+0xfd/0x1a0"), &n));
	CHECK(span_is(n.function, "do_futex") && span_is(n.module, "[kernel]"));
	CHECK_U64(n.offset, 0xfd);
	CHECK(kernel_name_parse(SPAN("nft_do_chain+0x1/0x2 [nf_tables]"), &n));
	CHECK(span_is(n.module, "[nf_tables]"));
	CHECK(!kernel_name_parse(SPAN("0xffffffff81000000"), &n));
	CHECK(!kernel_name_parse(SPAN("+0x1/0x2"), &n));
	CHECK(!kernel_name_parse(SPAN("x+0xg/0x2"), &n));
	CHECK(!kernel_name_parse(SPAN(""), &n));
}

/* The kernel's own answers are those of its list. */
static void agrees_with_kallsyms(void)
{
	struct kernel_symbols all = { 0 };
	struct kernel_names *names;
	struct note note = { "" };
	struct buf text = { 0 };
	struct span rest, line;
	uint64_t pcs[200];
	size_t n = 0;

	if (kernel_names_new(&names, &note) < 0)
		check_skip("%s", note.text);
	CHECK(kernel_symbols_read(&all) == 0);
	if (!all.entry.n)
		check_skip("kallsyms hides its addresses");
	for (size_t i = 0; i < 200 && n < 200; i++)
		pcs[n++] = all.entry.v[i * (all.entry.n / 200)].address + 1;
	pcs[n - 1] = 0x1234; /* none of the kernel's */
	CHECK(kernel_names_look(names, pcs, n, &text) == 0);
	rest = buf_span(&text);
	for (size_t i = 0; i < n; i++) {
		struct kernel_name got;
		const char *name = "", *module = "";
		uint64_t offset = 0;
		CHECK(span_line(&rest, &line));
		bool named = kernel_name_parse(line, &got), known = kernel_symbols_find(&all, pcs[i], &name,
											&module, &offset);
		if (i == n - 1)
			CHECK(!named && !known);
		else if (named) /* one that kallsyms lists and %pS does not know is data in a text section */
			CHECK(known && got.offset == offset && span_is(got.function, name));
	}
	kernel_symbols_deinit(&all);
	kernel_names_free(names);
	buf_deinit(&text);
}

int main(void)
{
	parses();
	agrees_with_kallsyms();
	return check_exit();
}
