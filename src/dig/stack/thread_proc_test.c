#include "dig/stack/thread_proc.h"

#include <errno.h>

#include "base/check.h"

static void parses_syscall(void)
{
	struct thread_stack t = { 0 };

	CHECK(thread_proc_parse_syscall(SPAN("202 0x7f00 0x189 0x2 0x0 0x0 0xffffffff 0x7ffc1230 0x7f99\n"), &t) == 0);
	CHECK(t.syscall == 202 && t.argument[0] == 0x7f00 && t.argument[5] == 0xffffffff && !t.on_cpu);
	CHECK_U64(t.registers.value[UNWIND_RSP], 0x7ffc1230);
	CHECK_U64(t.registers.value[UNWIND_RIP], 0x7f99);
	CHECK_U64(t.registers.known, 1u << UNWIND_RSP | 1u << UNWIND_RIP);
	CHECK(thread_proc_parse_syscall(SPAN("-1 0x7ffc 0x55\n"), &t) == 0);
	CHECK(t.syscall == -1 && t.registers.value[UNWIND_RIP] == 0x55);
	CHECK(thread_proc_parse_syscall(SPAN("running\n"), &t) == 0 && t.on_cpu);
	static const char *const bad[] = { "", "x", "1", "1 0x1 0x2\n", "-2 0x1 0x2", "99999999999 0x1", "-1 0x1\n" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct thread_stack before = { .syscall = 7 }, now = before;
		CHECK(thread_proc_parse_syscall(span_from(bad[i]), &now) == -EBADMSG);
		CHECK(now.syscall == 7 && !now.registers.known);
	}
}

static void parses_stat(void)
{
	struct thread_stack t = { 0 };

	CHECK(thread_proc_parse_stat(SPAN("12 (a) S (b) D 1 2 3"), &t) == 0);
	CHECK_STR(t.comm, "a) S (b");
	CHECK(t.state == 'D');
	CHECK(thread_proc_parse_stat(SPAN("12 (x"), &t) == -EBADMSG);
	CHECK(thread_proc_parse_stat(SPAN("12 (x) "), &t) == -EBADMSG);
	CHECK(thread_proc_parse_stat(SPAN("12 (x) 5 1"), &t) == -EBADMSG);
	CHECK(thread_proc_parse_stat(SPAN("12 (x) \0 1"), &t) == -EBADMSG);
	CHECK(thread_proc_parse_stat(SPAN(""), &t) == -EBADMSG);
}

static void parses_kernel_stack(void)
{
	struct buf text = { 0 };

	CHECK(thread_proc_parse_stack(SPAN("[<0>] futex_wait+0x1/0x2\n[<ffffffff81>] do_futex+0x3/0x4\njunk\n"
					   "[<0>] 0xffffffffffffffff\n"),
				      &text) == 0);
	CHECK_STR(text.data, "futex_wait+0x1/0x2\ndo_futex+0x3/0x4\n");
	buf_deinit(&text);
}

int main(void)
{
	parses_syscall();
	parses_stat();
	parses_kernel_stack();
	return check_exit();
}
