/* Nanoseconds a frame, of our walk and of libdwfl's, over the same copied stack of this program: functions with and
 * without frame pointers, realigned ones and the C library's in turn, 500 deep. The first look opens the files and reads
 * their tables, later ones have them. Prints frames that differ, both figures and the ratio; exit code 1: frames
 * differ, or later looks are less than 3 times as fast. */
#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/clock.h"
#include "dig/image/target_memory.h"
#include "dig/unwind/unwind.h"

enum { DEPTH = 100, MOST = 1024, OURS = 2000, THEIRS = 20 };

static char stack[1 << 20];
static uint64_t stack_start, stack_end;
static struct unwind_registers registers;
static struct unwind_frame ours[MOST];
static uint64_t theirs[MOST];
static size_t nours, ntheirs;
static double our_first_ms, their_first_ms;

static int read_stack(void *arg, uint64_t address, void *to, size_t n)
{
	(void)arg;
	if (address < stack_start || address >= stack_end || n > stack_end - address)
		return -EFAULT;
	memcpy(to, stack + (address - stack_start), n);
	return 0;
}

static pid_t next_thread(Dwfl *dwfl, void *arg, void **ret)
{
	(void)dwfl;
	if (*ret)
		return 0;
	*ret = arg;
	return getpid();
}

static bool read_word(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *ret, void *arg)
{
	(void)dwfl;
	return read_stack(arg, address, ret, sizeof *ret) == 0;
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
	(void)arg;
	Dwarf_Word words[UNWIND_REGISTERS];

	for (size_t i = 0; i < UNWIND_REGISTERS; i++)
		words[i] = registers.value[i];
	dwfl_thread_state_register_pc(thread, registers.value[UNWIND_RIP]);
	return dwfl_thread_state_registers(thread, 0, UNWIND_REGISTERS, words);
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
	.next_thread = next_thread,
	.memory_read = read_word,
	.set_initial_registers = set_registers,
};

static int on_frame(Dwfl_Frame *frame, void *arg)
{
	Dwarf_Addr pc;
	bool exact;

	(void)arg;
	if (ntheirs == MOST || !dwfl_frame_pc(frame, &pc, &exact))
		return DWARF_CB_ABORT;
	theirs[ntheirs++] = pc;
	return DWARF_CB_OK;
}

static int on_thread(Dwfl_Thread *thread, void *arg)
{
	ntheirs = 0;
	(void)!dwfl_thread_getframes(thread, on_frame, arg);
	return DWARF_CB_OK;
}

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_linux_proc_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
};

/* ns a frame; 0: it did not work. */
static double time_theirs(void)
{
	uint64_t began_ns = clock_thread_cpu_ns();
	Dwfl *dwfl = dwfl_begin(&callbacks);

	if (!dwfl || dwfl_linux_proc_report(dwfl, getpid()) || dwfl_report_end(dwfl, NULL, NULL) ||
	    !dwfl_attach_state(dwfl, NULL, getpid(), &thread_callbacks, dwfl)) {
		fprintf(stderr, "libdwfl: %s\n", dwfl_errmsg(-1));
		return 0;
	}
	if (dwfl_getthreads(dwfl, on_thread, NULL) < 0)
		fprintf(stderr, "libdwfl: %s\n", dwfl_errmsg(-1));
	their_first_ms = (double)(clock_thread_cpu_ns() - began_ns) / 1e6;
	began_ns = clock_thread_cpu_ns();
	for (int i = 0; i < THEIRS; i++)
		(void)!dwfl_getthreads(dwfl, on_thread, NULL);
	double ns = (double)(clock_thread_cpu_ns() - began_ns) / THEIRS;
	dwfl_end(dwfl);
	return ntheirs ? ns / (double)ntheirs : 0;
}

static double time_ours(void)
{
	const struct unwind_memory memory = { read_stack, NULL };
	struct image_store *store;
	struct address_space *a;
	enum unwind_end end;
	uint64_t began_ns = clock_thread_cpu_ns();

	if (image_store_new(&store) < 0 || address_space_of_process(store, getpid(), &a, NULL) < 0)
		return 0;
	nours = unwind_walk(a, &registers, &memory, ours, MOST, &end);
	our_first_ms = (double)(clock_thread_cpu_ns() - began_ns) / 1e6;
	began_ns = clock_thread_cpu_ns();
	for (int i = 0; i < OURS; i++)
		nours = unwind_walk(a, &registers, &memory, ours, MOST, &end);
	double ns = (double)(clock_thread_cpu_ns() - began_ns) / OURS;
	printf("%zu frames; the end: %s\n", nours, end == UNWIND_OUTERMOST ? "outermost" : unwind_end_words(end));
	address_space_free(a);
	image_store_free(store);
	return ns / (double)nours;
}

static void measure(void)
{
	static const int from[UNWIND_REGISTERS] = { REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
						    REG_RBP, REG_RSP, REG_R8,  REG_R9,	REG_R10, REG_R11,
						    REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP };
	ucontext_t context;

	getcontext(&context);
	for (size_t i = 0; i < UNWIND_REGISTERS; i++)
		registers.value[i] = (uint64_t)context.uc_mcontext.gregs[from[i]];
	registers.known = (1u << UNWIND_REGISTERS) - 1;
	stack_start = registers.value[UNWIND_RSP];
	ssize_t got = target_memory_read_front(getpid(), stack_start, stack, sizeof stack);
	stack_end = stack_start + (got > 0 ? (uint64_t)got : 0);
	double our_ns = time_ours(), their_ns = time_theirs();
	size_t differ = nours != ntheirs;
	for (size_t i = 0; i < nours && i < ntheirs; i++)
		differ += ours[i].pc != theirs[i];
	printf("frames: ours %zu, libdwfl's %zu, different %zu\n", nours, ntheirs, differ);
	printf("ns a frame: ours %.0f, libdwfl %.0f: %.0f times\n", our_ns, their_ns, our_ns > 0 ? their_ns / our_ns : 0);
	printf("first look, ms: ours %.2f, libdwfl %.2f: %.1f times\n", our_first_ms, their_first_ms,
	       their_first_ms / our_first_ms);
	exit(differ || their_ns < 3 * our_ns);
}

static int depth;
static void deeper(void);

__attribute__((noinline)) static void realigned(void)
{
	volatile char wide[64] __attribute__((aligned(64)));

	wide[depth % 64] = 1;
	deeper();
	__asm__ volatile("" ::"r"(wide) : "memory");
}

static int compare(const void *a, const void *b)
{
	realigned();
	return *(const char *)a - *(const char *)b;
}

__attribute__((noinline)) static void deeper(void)
{
	char two[] = { 2, 1 };

	if (++depth == DEPTH)
		measure();
	qsort(two, 2, 1, compare);
	__asm__ volatile("" ::"r"(two) : "memory");
}

int main(void)
{
	setenv("OSPREY_CACHE_DIR", "", 1);
	deeper();
	return 3;
}
