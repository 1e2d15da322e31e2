#include "dig/trace/syscall_table.h"

#include <errno.h>

#include "base/check.h"

/* asm/unistd_64.h of the build machine: all of it must be there, under its number. */
static void every_number(void)
{
	FILE *f = fopen("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "re");
	char line[256], name[64];
	unsigned number, seen = 0;

	if (!f)
		return; /* another machine: the list is checked where its header is */
	while (fgets(line, sizeof line, f)) {
		if (sscanf(line, "#define __NR_%63s %u", name, &number) != 2)
			continue;
		const struct syscall_entry *c = syscall_entry(number);

		CHECK(c != NULL);
		if (c)
			CHECK_STR(c->name, name);
		seen++;
	}
	fclose(f);
	CHECK(seen > 300);
}

static void classes(void)
{
	int file = syscall_class(SPAN("file")), network = syscall_class(SPAN("network"));

	CHECK(file >= 0 && network >= 0);
	CHECK(syscall_class(SPAN("nonsense")) == -ENOENT);
	CHECK(syscall_entry(257)->classes >> file & 1);
	CHECK(!(syscall_entry(257)->classes >> network & 1));
	CHECK(syscall_number(SPAN("futex")) == 202);
	CHECK(syscall_number(SPAN("no_such")) == -ENOENT);
	CHECK(syscall_entry(TRACE_CALLS) == NULL && syscall_entry(400) == NULL);
}

/* Lengths must name an argument that is there, and captures fit a piece. */
static void rules(void)
{
	for (unsigned i = 0; i < TRACE_CALLS; i++) {
		struct trace_call_rule rule = syscall_capture(i);

		for (unsigned k = 0; k < TRACE_ARGUMENTS; k++) {
			const struct trace_capture_rule *r = &rule.argument[k];

			if (r->kind == CAPTURE_NONE)
				continue;
			CHECK(syscall_entry(i) != NULL);
			CHECK(r->when == CAPTURE_ENTER || r->when == CAPTURE_EXIT || r->when == CAPTURE_BOTH);
			CHECK(r->size <= TRACE_PIECE_MAX);
			CHECK(r->length <= CAPTURE_BY_RESULT);
			if (r->kind == CAPTURE_DATA && r->length != CAPTURE_BY_RESULT)
				CHECK(syscall_argument_kind(syscall_entry(i), r->length) != ARGUMENT_NONE);
		}
	}
	CHECK(syscall_capture(257).paths == 2 && syscall_capture(257).fds == 1);
	CHECK(syscall_capture(231).flags & CALL_NO_RETURN);
	CHECK(syscall_capture(59).flags & CALL_EXECUTES);
	CHECK(syscall_capture(1).flags & CALL_CAPTURES_ENTER && !(syscall_capture(1).flags & CALL_CAPTURES_EXIT));
}

int main(void)
{
	every_number();
	classes();
	rules();
	return check_exit();
}
