/* Stacks of this very process, copied as the programs copy them. */
#include "dig/stack/event_stack.h"

#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/check.h"
#include "dig/image/target_memory.h"

static struct event_stack copy;
static volatile int sink;

/* As the kernel has it: registers in the order of struct pt_regs, bytes from a multiple of a step on. */
static void take(void)
{
	static const int order[] = { REG_R15, REG_R14, REG_R13, REG_R12, REG_RBP, REG_RBX, REG_R11, REG_R10,
				     REG_R9, REG_R8, REG_RAX, REG_RCX, REG_RDX, REG_RSI, REG_RDI, -1,
				     REG_RIP, -1, REG_EFL, REG_RSP };
	ucontext_t u;

	getcontext(&u);
	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
		copy.registers[i] = order[i] < 0 ? 0x33 : (uint64_t)u.uc_mcontext.gregs[order[i]];
	copy.kind = EVENT_STACK_COPY;
	copy.from = copy.registers[19] & ~(uint64_t)(EVENT_STACK_STEP - 1);
	ssize_t got = target_memory_read_front(getpid(), copy.from, copy.bytes, sizeof copy.bytes);
	CHECK(got > 0);
	copy.size = got > 0 ? (uint32_t)got : 0;
}

__attribute__((noinline)) static void innermost(void)
{
	take();
	sink++;
}

__attribute__((noinline)) static void between(void)
{
	volatile char room[500];

	room[0] = 1;
	innermost();
	sink += room[0];
}

__attribute__((noinline)) static void outermost(void)
{
	between();
	sink++;
}

static struct span bytes_of(size_t n)
{
	return (struct span){ (const char *)&copy, n };
}

/* Position of the function, or -1. */
static int place_of(const struct event_frames *f, const char *function)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->frame[i].function, function) == 0)
			return (int)i;
	return -1;
}

static void check_calls(const struct event_frames *f)
{
	int at = place_of(f, "innermost");

	CHECK(at >= 0);
	CHECK(place_of(f, "between") > at);
	CHECK(place_of(f, "outermost") > place_of(f, "between"));
	CHECK(place_of(f, "main") > place_of(f, "outermost"));
	CHECK(f->why == NULL);
}

static void test_walk(struct event_stacks *s)
{
	struct event_frames f;
	const struct event_frame *first;

	outermost();
	event_stacks_user(s, getpid(), bytes_of(sizeof copy), &f);
	check_calls(&f);
	size_t n = f.n;

	/* The same once more is known: it comes from where it is kept. */
	event_stacks_user(s, getpid(), bytes_of(sizeof copy), &f);
	check_calls(&f);
	first = f.frame;
	event_stacks_user(s, getpid(), bytes_of(sizeof copy), &f);
	CHECK(f.frame == first);
	CHECK_U64(f.n, n);

	/* Equal registers do not make equal stacks: here somebody else called. */
	uint64_t return_address = f.frame[place_of(&f, "outermost")].address, other = return_address + 1;
	for (size_t at = 0; at + 8 <= copy.size; at += 8)
		if (memcmp(copy.bytes + at, &return_address, 8) == 0)
			memcpy(copy.bytes + at, &other, 8);
	event_stacks_user(s, getpid(), bytes_of(sizeof copy), &f);
	CHECK(f.frame != first);
	CHECK(f.frame[place_of(&f, "outermost")].address == other);
}

static void test_ends(struct event_stacks *s)
{
	struct event_frames f;
	const size_t head = offsetof(struct event_stack, bytes);

	outermost();
	/* Bytes that end in the middle: what is there is told, and that more is not. */
	event_stacks_user(s, getpid(), bytes_of(head + (copy.registers[19] - copy.from) + 200), &f);
	CHECK(f.n > 0 && f.frame[0].function[0]);
	CHECK(place_of(&f, "main") < 0);
	CHECK(f.why != NULL && strstr(f.why, "beyond the copied") != NULL);
	event_stacks_user(s, getpid(), bytes_of(head - 1), &f);
	CHECK_U64(f.n, 0);
	CHECK(f.why != NULL);

	copy.registers[17] = 0x23;
	event_stacks_user(s, getpid(), bytes_of(sizeof copy), &f);
	CHECK_U64(f.n, 0);
	CHECK_STR(f.why, "no stack of a 32-bit process");
	copy.registers[17] = 0x10; /* the kernel's */
	event_stacks_user(s, getpid(), bytes_of(sizeof copy), &f);
	CHECK_U64(f.n, 0);
	CHECK_STR(f.why, "no user stack");
	copy.registers[17] = 0x33;
	copy.kind = EVENT_STACK_NONE;
	event_stacks_user(s, getpid(), bytes_of(sizeof copy), &f);
	CHECK_STR(f.why, "no user stack");
	copy.kind = EVENT_STACK_COPY;
	event_stacks_user(s, 0, bytes_of(sizeof copy), &f);
	CHECK_U64(f.n, 0);
}

/* Of one that ended before anybody looked there is the address alone; of one that was met, everything. */
static void test_ended(struct event_stacks *s)
{
	struct event_frames f;
	int go[2];
	char byte;

	CHECK(pipe(go) == 0);
	for (int met = 0; met < 2; met++) {
		pid_t pid = fork();
		if (pid == 0) {
			(void)!read(go[0], &byte, 1);
			_exit(0);
		}
		if (met)
			event_stacks_meet(s, pid);
		CHECK(write(go[1], "", 1) == 1);
		waitpid(pid, NULL, 0);
		outermost();
		event_stacks_user(s, pid, bytes_of(sizeof copy), &f);
		if (met) {
			check_calls(&f);
		} else {
			CHECK_U64(f.n, 1);
			CHECK(f.why != NULL && strstr(f.why, "had ended") != NULL);
		}
		event_stacks_forget(s, pid);
	}
	close(go[0]);
	close(go[1]);
}

int main(void)
{
	struct event_stacks *s;

	if (event_stacks_new(&(struct symbolizer_options){ .no_lines = true }, &s) < 0)
		return 1;
	test_walk(s);
	test_ends(s);
	test_ended(s);
	event_stacks_free(s);
	return check_exit();
}
