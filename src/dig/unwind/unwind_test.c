/* Walks this program's own stack, copied, and holds the frames to what each function said of its caller. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/check.h"
#include "dig/image/target_memory.h"
#include "dig/unwind/unwind.h"
#include "dig/unwind/unwind_compact.h"

#define NOINLINE __attribute__((noinline, noclone))
#ifdef __clang__
#undef NOINLINE
#define NOINLINE __attribute__((noinline))
#define NO_FRAME_POINTER
#else
#define NO_FRAME_POINTER __attribute__((optimize("omit-frame-pointer")))
#endif
#define ALTERNATE_BYTES (64 << 10)

/* Return addresses that functions saw themselves, outermost first. */
static uint64_t said[64];
static size_t nsaid;
static void say(void *return_address)
{
	said[nsaid++] = (uint64_t)return_address;
}
#define SAY() say(__builtin_extract_return_addr(__builtin_return_address(0)))
/* After the call, so that it is no tail call. */
#define LEAVE() (nsaid--)

static struct address_space *space;
static char alternate[ALTERNATE_BYTES];

/* What a copier would have taken. */
static struct copy {
	uint64_t start, end;
	char bytes[256 << 10];
} copies[2];

static int read_copy(void *arg, uint64_t address, void *to, size_t n)
{
	(void)arg;
	for (size_t i = 0; i < 2; i++)
		if (address >= copies[i].start && address < copies[i].end && n <= copies[i].end - address) {
			memcpy(to, copies[i].bytes + (address - copies[i].start), n);
			return 0;
		}
	return -EFAULT;
}
static const struct unwind_memory memory = { read_copy, NULL };

static struct unwind_registers captured;
static struct unwind_frame frames[256];
static size_t nframes;
static enum unwind_end end;

static void copy(struct copy *c, uint64_t from)
{
	struct place p;

	c->start = c->end = from;
	if (!address_space_find(space, from, &p))
		return;
	uint64_t n = p.mapping->end - from;
	if (n > sizeof c->bytes)
		n = sizeof c->bytes;
	ssize_t got = target_memory_read_front(getpid(), from, c->bytes, (size_t)n);
	c->end = from + (got > 0 ? (uint64_t)got : 0);
}

static const int from_context[UNWIND_REGISTERS] = { REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
						    REG_RBP, REG_RSP, REG_R8,  REG_R9,	REG_R10, REG_R11,
						    REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP };

static void walk(const ucontext_t *context)
{
	captured.known = (1u << UNWIND_REGISTERS) - 1;
	for (size_t i = 0; i < UNWIND_REGISTERS; i++)
		captured.value[i] = (uint64_t)context->uc_mcontext.gregs[from_context[i]];
	nframes = unwind_walk(space, &captured, &memory, frames, 256, &end);
}

NOINLINE NO_FRAME_POINTER static void capture(void)
{
	ucontext_t context;

	SAY();
	CHECK(address_space_refresh(space) == 0);
	getcontext(&context);
	copy(&copies[0], (uint64_t)context.uc_mcontext.gregs[REG_RSP]);
	walk(&context);
	LEAVE();
}

/* Every address that was said is a frame, in order. `between`: other frames may stand between them. */
static void check_frames(bool between)
{
	size_t at = 1;

	CHECK(nframes > nsaid);
	CHECK(frames[0].exact && !frames[0].guessed);
	for (size_t i = nsaid; i-- > 0; at++) {
		while (between && at < nframes && frames[at].pc != said[i])
			at++;
		CHECK_U64(at < nframes ? frames[at].pc : 0, said[i]);
	}
	for (size_t i = 1; i < nframes; i++)
		CHECK(frames[i].pc != 0 && frames[i].sp != 0);
}

/* The same walk by compact rows: equal frames, as far as they go. Returns how many. */
static size_t walk_compact(void)
{
	struct unwind_compact_frame f = { captured.value[UNWIND_RIP], captured.value[UNWIND_RSP],
					  captured.value[UNWIND_RBP], true, true };
	size_t n = 0;
	int rc = 1;

	for (; rc == 1 && n < nframes; n++) {
		struct unwind_compact_row *rows;
		struct place p;
		size_t nrows;
		uint64_t look = f.exact ? f.pc : f.pc - 1;

		CHECK_U64(f.pc, frames[n].pc);
		CHECK_U64(f.rsp, frames[n].sp);
		CHECK(f.exact == frames[n].exact);
		if (!address_space_find(space, look, &p) || !p.image)
			break;
		const struct unwind_table *t = image_unwind_table(p.image);
		if (!t)
			break;
		CHECK(unwind_compact(t, &rows, &nrows) == 0);
		CHECK(nrows <= t->nrows);
		rc = unwind_compact_step(unwind_compact_find(rows, nrows, (uint32_t)(look - p.bias - t->base)), &f,
					 &memory, &f);
		free(rows);
	}
	CHECK(rc == 0 ? end == UNWIND_OUTERMOST && n == nframes : true);
	return n;
}

/* With the two registers that /proc/PID/task/TID/syscall tells: no other frames, perhaps fewer. */
static size_t walk_by_two(void)
{
	struct unwind_registers two = captured;
	struct unwind_frame other[256];
	enum unwind_end why;

	two.known = 1u << UNWIND_RIP | 1u << UNWIND_RSP;
	size_t n = unwind_walk(space, &two, &memory, other, 256, &why);
	CHECK(n <= nframes);
	for (size_t i = 0; i < n; i++)
		CHECK_U64(other[i].pc, frames[i].pc);
	CHECK(n == nframes || why == UNWIND_NO_REGISTER || why == UNWIND_NO_RULE);
	return n;
}

static void walk_short(void)
{
	struct unwind_frame other[4];
	enum unwind_end why;

	CHECK_U64(unwind_walk(space, &captured, &memory, other, 3, &why), 3);
	CHECK(why == UNWIND_FULL);
	uint64_t kept = copies[0].end;
	copies[0].end = frames[3].sp - 8; /* its return address is cut off */
	CHECK_U64(unwind_walk(space, &captured, &memory, other, 4, &why), 3);
	CHECK(why == UNWIND_NO_MEMORY);
	copies[0].end = kept;
}

typedef void (*next)(void);
static const next *chain;

NOINLINE static void go_on(void)
{
	SAY();
	next n = *chain++;
	n();
	LEAVE();
}

NOINLINE static void by_frame_pointer(void)
{
	SAY();
	go_on();
	LEAVE();
}

NOINLINE NO_FRAME_POINTER static void without_frame_pointer(void)
{
	volatile char local[48];

	SAY();
	local[0] = 1;
	go_on();
	local[1] = local[0];
	LEAVE();
}

NOINLINE NO_FRAME_POINTER static void with_alloca(void)
{
	size_t n = 100 + nsaid * 16;
	volatile char *p = __builtin_alloca(n);

	SAY();
	p[n - 1] = 1;
	go_on();
	p[0] = p[n - 1];
	LEAVE();
}

NOINLINE NO_FRAME_POINTER static void realigned(void)
{
	volatile char wide[128] __attribute__((aligned(128)));
	volatile char *p = __builtin_alloca(nsaid + 24);

	SAY();
	wide[5] = p[0] = 1;
	go_on();
	wide[6] = wide[5];
	LEAVE();
}

NOINLINE NO_FRAME_POINTER static void seven_arguments(long a, long b, long c, long d, long e, long f, long g)
{
	SAY();
	said[60] = (uint64_t)(a + b + c + d + e + f + g);
	go_on();
	said[60] -= (uint64_t)(a * b * c * d * e * f * g);
	LEAVE();
}

NOINLINE static void with_arguments(void)
{
	SAY();
	seven_arguments(1, 2, 3, 4, 5, 6, (long)nsaid);
	LEAVE();
}

static int by_library(const void *a, const void *b)
{
	(void)a;
	(void)b;
	if (*chain)
		go_on();
	return 0;
}

NOINLINE static void through_library(void)
{
	int two[2] = { 1, 2 };

	SAY();
	qsort(two, 2, sizeof *two, by_library);
	LEAVE();
}

/* Functions that nobody describes. */
void undescribed(next n);
void undescribed_fault(void);
void return_from_signal(void);
extern char undescribed_behind[];
__asm__(".text\n"
	".globl undescribed\n.type undescribed,@function\n"
	"undescribed: push %rbp\n mov %rsp,%rbp\n call *%rdi\n"
	".globl undescribed_behind\nundescribed_behind: pop %rbp\n ret\n"
	".globl undescribed_fault\n.type undescribed_fault,@function\n"
	"undescribed_fault: push %rbp\n mov %rsp,%rbp\n ud2\n pop %rbp\n ret\n"
	/* The way back from signals of C libraries without call frames: right behind a function that has them. */
	".type before_return,@function\n"
	"before_return: .cfi_startproc\n push %rbx\n .cfi_adjust_cfa_offset 8\n pop %rbx\n"
	" .cfi_adjust_cfa_offset -8\n ret\n"
	" .cfi_endproc\n"
	".globl return_from_signal\n.type return_from_signal,@function\n"
	"return_from_signal: mov $15,%rax\n syscall\n");

NOINLINE static void through_undescribed(void)
{
	SAY();
	undescribed(go_on);
	LEAVE();
}

static void (*in_handler)(void);
static uint64_t fault_pc;

static void handler(int number, siginfo_t *info, void *arg)
{
	ucontext_t *context = arg;

	(void)number;
	(void)info;
	fault_pc = (uint64_t)context->uc_mcontext.gregs[REG_RIP];
	copy(&copies[1], (uint64_t)context->uc_mcontext.gregs[REG_RSP]);
	in_handler();
	context->uc_mcontext.gregs[REG_RIP] += 2;
}

static void set_handler(int flags)
{
	struct sigaction act = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };

	CHECK(sigaction(SIGILL, &act, NULL) == 0);
}

static void set_nameless_handler(void)
{
	struct {
		void (*handler)(int, siginfo_t *, void *);
		unsigned long flags;
		void (*restorer)(void);
		uint64_t mask;
	} act = { handler, SA_SIGINFO | 0x04000000 /* SA_RESTORER */, return_from_signal, 0 };

	CHECK(syscall(SYS_rt_sigaction, SIGILL, &act, NULL, sizeof act.mask) == 0);
}

NOINLINE NO_FRAME_POINTER static void faults(void)
{
	volatile char local[80];

	SAY();
	local[0] = 1;
	__asm__ volatile("ud2" ::: "memory");
	local[1] = local[0];
	LEAVE();
}

/* The frame of the interrupted function, and those above it. */
static void check_signal(bool guessed)
{
	size_t i = 0;

	while (i < nframes && frames[i].pc != fault_pc)
		i++;
	CHECK(i > 0 && i < nframes && frames[i].exact && !frames[i].guessed);
	/* Who calls what is not described, go_on, could not be said. */
	if (guessed && ++i < nframes)
		CHECK(frames[i].guessed);
	for (size_t k = nsaid; k-- > 0 && i + 1 < nframes;) {
		i++;
		CHECK_U64(frames[i].pc, said[k]);
		CHECK(!frames[i].exact && !frames[i].guessed);
	}
	CHECK(end == UNWIND_OUTERMOST);
}

static bool nameless;

static void capture_in_handler(void)
{
	capture();
	check_signal(false);
	/* The kernel's walk knows signals by their rules alone. */
	if (!nameless)
		CHECK(walk_compact() == nframes);
	walk_by_two();
}

static void capture_in_undescribed(void)
{
	capture();
	check_signal(true);
}

static bool on_coroutine;

static void capture_and_check(void)
{
	capture();
	check_frames(true);
	/* What makecontext puts at the start of a stack is described by newer C libraries alone. */
	CHECK(end == UNWIND_OUTERMOST || on_coroutine);
	CHECK(walk_compact() == nframes || on_coroutine);
#ifdef __clang__ /* whose frames are reckoned from rbp, which is not known then */
	CHECK(walk_by_two() >= 1);
#else
	CHECK(walk_by_two() >= 2);
#endif
	walk_short();
}

static void capture_undescribed(void)
{
	capture();
	check_frames(true);
	size_t i = 0;
	while (i < nframes && frames[i].pc != (uint64_t)undescribed_behind)
		i++;
	/* go_on returns there by its rule; the caller of that code is a guess. */
	CHECK(i + 1 < nframes && !frames[i].guessed && frames[i + 1].guessed);
	CHECK(end == UNWIND_OUTERMOST);
}

static void run(const next *functions)
{
	nsaid = 0;
	nframes = 0;
	chain = functions;
	go_on();
	CHECK(nframes > 0);
}

static void test_functions(void)
{
	static const next all[] = { by_frame_pointer, without_frame_pointer, with_alloca, realigned, with_arguments,
				    realigned,	      with_alloca,	     without_frame_pointer,
				    capture_and_check, NULL };

	run(all);
	run((const next[]){ through_library, without_frame_pointer, capture_and_check, NULL });
	run((const next[]){ realigned, through_library, by_frame_pointer, capture_and_check, NULL });
}

static void test_signals(void)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate }, before;
	static const next through[] = { realigned, without_frame_pointer, faults, NULL };
	static const next start[] = { faults, NULL };

	CHECK(sigaltstack(&stack, &before) == 0);
	in_handler = capture_in_handler;
	set_handler(0);
	run(through);
	set_handler(SA_ONSTACK);
	run(through);
	run(start);
	set_nameless_handler();
	nameless = true;
	run(through);
	nameless = false;
	in_handler = capture_in_undescribed;
	set_handler(SA_ONSTACK);
	run((const next[]){ without_frame_pointer, undescribed_fault, NULL });
	signal(SIGILL, SIG_DFL);
	CHECK(sigaltstack(&before, NULL) == 0); /* sanitizers have their own */
}

static void test_undescribed(void)
{
	run((const next[]){ without_frame_pointer, through_undescribed, by_frame_pointer, capture_undescribed, NULL });
}

/* Innermost in code that nobody describes, at each instruction; and a call through a bad pointer. */
static void test_borders(void)
{
	struct unwind_registers r = { .known = 1u << UNWIND_RIP | 1u << UNWIND_RSP | 1u << UNWIND_RBP };
	uint64_t stack[8] = { 0 }, code = (uint64_t)undescribed, sp = 0x1000;
	enum unwind_end why;

	copies[0].start = sp;
	copies[0].end = sp + sizeof stack;
	copies[1] = (struct copy){ 0 };
	for (unsigned at = 0; at < 3; at++) {
		static const unsigned char offsets[] = { 0, 1, 4 }; /* push, mov, call */
		stack[0] = at == 0 ? (uint64_t)&test_borders + 1 : 0x1234;
		stack[1] = (uint64_t)&test_borders + 1;
		memcpy(copies[0].bytes, stack, sizeof stack);
		r.value[UNWIND_RIP] = code + offsets[at];
		r.value[UNWIND_RSP] = sp;
		r.value[UNWIND_RBP] = at == 2 ? sp : 0x1234;
		size_t n = unwind_walk(space, &r, &memory, frames, 2, &why);
		CHECK_U64(n, 2);
		CHECK_U64(frames[1].pc, (uint64_t)&test_borders + 1);
		CHECK_U64(frames[1].sp, sp + (at == 0 ? 8 : 16));
		CHECK(frames[1].guessed && !frames[1].exact);
	}
	stack[0] = (uint64_t)&test_borders + 1;
	memcpy(copies[0].bytes, stack, sizeof stack);
	r.value[UNWIND_RIP] = 0;
	CHECK_U64(unwind_walk(space, &r, &memory, frames, 2, &why), 2);
	CHECK_U64(frames[1].pc, (uint64_t)&test_borders + 1);
	stack[0] = 12345;
	memcpy(copies[0].bytes, stack, sizeof stack);
	CHECK_U64(unwind_walk(space, &r, &memory, frames, 2, &why), 1);
	CHECK(why == UNWIND_OUTSIDE);
}

static void *in_thread(void *arg)
{
	(void)arg;
	test_functions();
	test_signals();
	return NULL;
}

static char coroutine_stack[64 << 10];
static ucontext_t coroutine, main_context;

static void in_coroutine(void)
{
	static const next all[] = { realigned, without_frame_pointer, capture_and_check, NULL };

	run(all);
}

static void test_coroutine(void)
{
	getcontext(&coroutine);
	coroutine.uc_stack = (stack_t){ .ss_sp = coroutine_stack, .ss_size = sizeof coroutine_stack };
	coroutine.uc_link = &main_context;
	makecontext(&coroutine, in_coroutine, 0);
	on_coroutine = true;
	swapcontext(&main_context, &coroutine);
	on_coroutine = false;
}

static void test_words(void)
{
	for (int e = UNWIND_OUTERMOST; e <= UNWIND_OUTSIDE; e++)
		CHECK((unwind_end_words((enum unwind_end)e) == NULL) == (e == UNWIND_OUTERMOST));
}

int main(void)
{
	struct image_store *store;
	pthread_t thread;

	setenv("OSPREY_CACHE_DIR", "", 1);
	CHECK(image_store_new(&store) == 0);
	if (address_space_of_process(store, getpid(), &space, NULL) < 0)
		return 1;
	test_words();
	test_functions();
	test_signals();
	test_undescribed();
	test_borders();
	test_coroutine();
	CHECK(pthread_create(&thread, NULL, in_thread, NULL) == 0 && pthread_join(thread, NULL) == 0);
	address_space_free(space);
	image_store_free(store);
	return check_exit();
}
