#include "act/run_pool.h"

#include "base/check.h"

static struct span list;

static const char *next(bool last)
{
	static char text[64];
	struct span line;

	if (!run_pool_next(&list, last, &line))
		return "(none)";
	span_copy(line, text, sizeof text);
	return text;
}

int main(void)
{
	list = SPAN("a b\n\n  \t\n# no\n   # no\n  c  # yes\nd");
	CHECK_STR(next(false), "a b");
	CHECK_STR(next(false), "  c  # yes");
	/* More may come to the last one. */
	CHECK_STR(next(false), "(none)");
	CHECK_U64(list.n, 1);
	CHECK_STR(next(true), "d");
	CHECK_STR(next(true), "(none)");
	list = SPAN("");
	CHECK_STR(next(true), "(none)");
	list = SPAN("#");
	CHECK_STR(next(false), "(none)");
	CHECK_STR(next(true), "(none)");
	CHECK_U64(list.n, 0);
	return check_exit();
}
