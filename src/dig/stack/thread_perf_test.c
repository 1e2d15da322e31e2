#include "dig/stack/thread_perf.h"

#include <errno.h>
#include <linux/perf_event.h>

#include "base/check.h"

/* ids, a call chain of two markers and three addresses, registers, 24 of 32 bytes of stack. */
struct sample {
	uint32_t ids[2];
	uint64_t nr, chain[5];
	uint64_t abi, registers[17];
	uint64_t size;
	char stack[32];
	uint64_t filled;
};

static struct sample make(void)
{
	struct sample s = { .ids = { 1, 2 }, .nr = 5, .abi = PERF_SAMPLE_REGS_ABI_64, .size = 32, .filled = 24 };

	s.chain[0] = (uint64_t)PERF_CONTEXT_KERNEL;
	s.chain[1] = 0xffffffff81000001;
	s.chain[2] = 0xffffffff81000002;
	s.chain[3] = (uint64_t)PERF_CONTEXT_USER;
	s.chain[4] = 0x401000;
	for (size_t i = 0; i < 17; i++)
		s.registers[i] = 100 + i;
	memcpy(s.stack, "the stack as it was it was", 24);
	return s;
}

static struct span of(const struct sample *s)
{
	return (struct span){ (const char *)s, sizeof *s };
}

static void takes_a_sample(void)
{
	struct sample s = make();
	struct thread_stack t = { 0 };

	CHECK(thread_perf_parse(of(&s), &t) == 0);
	CHECK_U64(t.nkernel, 2);
	CHECK_U64(t.kernel[1], 0xffffffff81000002);
	CHECK_U64(t.registers.value[0], 100);		/* rax: perf's 0 */
	CHECK_U64(t.registers.value[UNWIND_RBX], 101);	/* perf's 1 */
	CHECK_U64(t.registers.value[UNWIND_RSP], 107);
	CHECK_U64(t.registers.value[UNWIND_RIP], 108);
	CHECK_U64(t.registers.value[8], 109);
	CHECK_U64(t.registers.known, (1u << UNWIND_REGISTERS) - 1);
	CHECK_U64(t.nbytes, 24);
	CHECK(memcmp(t.bytes, "the stack", 9) == 0);
	free(t.kernel);
	free(t.bytes);
}

static void refuses_damage(void)
{
	struct sample s = make();
	struct thread_stack t = { .syscall = 3 };

	for (size_t n = 0; n < sizeof s; n++) {
		char *cut = malloc(n ? n : 1);
		memcpy(cut, &s, n);
		CHECK(thread_perf_parse((struct span){ cut, n }, &t) == -EBADMSG);
		free(cut);
	}
	s.abi = PERF_SAMPLE_REGS_ABI_NONE;
	CHECK(thread_perf_parse(of(&s), &t) == -ENODATA);
	s = make();
	s.nr = UINT64_MAX / 8;
	CHECK(thread_perf_parse(of(&s), &t) == -EBADMSG);
	s = make();
	s.filled = 33;
	CHECK(thread_perf_parse(of(&s), &t) == -EBADMSG);
	CHECK(!t.kernel && !t.bytes && t.syscall == 3);
}

int main(void)
{
	takes_a_sample();
	refuses_damage();
	return check_exit();
}
