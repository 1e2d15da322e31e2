#include "osprey/rt/inspect.h"

#include <elf.h>
#include <stddef.h>

#include "chan.h"
#include "inspect/coarse_clock.h"
#include "mutex.h"
#include "net/descriptor.h"
#include "osprey/rt/sync.h"
#include "scheduler.h"
#include "scope.h"
#include "selection.h"

#define FIELD(type, member) { offsetof(struct type, member), sizeof(((struct type *)0)->member) }
#define COUNT(array) (uint32_t)(sizeof(array) / sizeof *(array))
#define ADDRESS(object) (uint64_t)(uintptr_t)&(object)

static struct inspect_state states[] = {
	[FIBER_FREE] = { "free", INSPECT_FREE },
	[FIBER_READY] = { "ready", INSPECT_READY },
	[FIBER_RUNNING] = { "running", INSPECT_RUNNING },
	[FIBER_PARKED] = { "waiting", INSPECT_PARKED },
	[FIBER_ENDED] = { "ended", INSPECT_ENDED },
};

#define FACT(word, what, type, member) { .name = word, .role = what, .mask = UINT64_MAX, .field = FIELD(type, member) }
#define CHANNEL_FACTS                                                                                                    \
	{ FACT("length", INSPECT_NUMBER, rt_chan, length), FACT("capacity", INSPECT_NUMBER, rt_chan, capacity),        \
	  FACT("closed", INSPECT_FLAG, rt_chan, closed) }
#define DESCRIPTOR_FACTS { FACT("fd", INSPECT_FD, descriptor, fd) }
#define LOCK_FACTS                                                                                                      \
	{ FACT("writer", INSPECT_FIBER, rt_rwlock, writer), FACT("readers", INSPECT_NUMBER, rt_rwlock, readers) }

static struct inspect_wait waits[] = {
	[FIBER_WAIT_NONE] = { "nothing", "" },
	[FIBER_WAIT_JOIN] = { "join", "fiber", .fact = { FACT("id", INSPECT_FIBER, fiber, id) } },
	[FIBER_WAIT_SLEEP] = { "sleep", "", .waker = INSPECT_BY_TIME },
	[FIBER_WAIT_SEND] = { "send", "channel", .fact = CHANNEL_FACTS },
	[FIBER_WAIT_RECEIVE] = { "receive", "channel", .fact = CHANNEL_FACTS },
	[FIBER_WAIT_SELECT] = { "select", "cases", .cases = 1 },
	[FIBER_WAIT_MUTEX] = { "mutex", "mutex", .fact = { { .name = "owner", .role = INSPECT_FIBER, .mask = MUTEX_OWNER,
							     .field = FIELD(rt_mutex, owner) } } },
	[FIBER_WAIT_READ_LOCK] = { "read lock", "rwlock", .fact = LOCK_FACTS },
	[FIBER_WAIT_WRITE_LOCK] = { "write lock", "rwlock", .fact = LOCK_FACTS },
	[FIBER_WAIT_SEMAPHORE] = { "semaphore", "semaphore", .fact = { FACT("count", INSPECT_NUMBER, rt_semaphore, count) } },
	[FIBER_WAIT_EVENT] = { "event", "event", .fact = { FACT("set", INSPECT_FLAG, rt_event, set) } },
	[FIBER_WAIT_CONDITION] = { "condition", "condition" },
	[FIBER_WAIT_GROUP] = { "wait group", "wait group", .fact = { FACT("count", INSPECT_NUMBER, rt_wait_group, count) } },
	[FIBER_WAIT_ONCE] = { "once", "once" },
	[FIBER_WAIT_POOL] = { "pool", "call", .waker = INSPECT_BY_OUTSIDE },
	[FIBER_WAIT_READ] = { "read", "descriptor", .waker = INSPECT_BY_OUTSIDE, .fact = DESCRIPTOR_FACTS },
	[FIBER_WAIT_WRITE] = { "write", "descriptor", .waker = INSPECT_BY_OUTSIDE, .fact = DESCRIPTOR_FACTS },
	[FIBER_WAIT_KERNEL] = { "kernel", "", .waker = INSPECT_BY_OUTSIDE },
	[FIBER_WAIT_SCOPE] = { "scope", "scope", .fact = { FACT("cancelled", INSPECT_FLAG, scope, cancelled) } },
};

/* Not const: core files hold all memory that can be written, and of the rest not always all. */
extern struct inspect_root inspect_root;
__attribute__((used)) struct inspect_root inspect_root = {
	.magic = INSPECT_MAGIC,
	.version = INSPECT_VERSION,
	.bytes = sizeof(struct inspect_root),
	.grain_ns = 2000000,
	.clock = ADDRESS(coarse.ns),
	.tables = { ADDRESS(fiber_tables), FIBER_STACK_SIZES, sizeof(struct fiber_table) },
	.table_fibers = FIELD(fiber_table, fibers),
	.table_stacks = FIELD(fiber_table, stacks),
	.table_stack_bytes = FIELD(fiber_table, stack_bytes),
	.table_used = FIELD(fiber_table, used),
	.fiber_stride = sizeof(struct fiber),
	.fiber_id = FIELD(fiber, id),
	.fiber_state = FIELD(fiber, state),
	.fiber_wait = FIELD(fiber, wait),
	.fiber_object = FIELD(fiber, wait_object),
	.fiber_since = FIELD(fiber, since),
	.fiber_turns = FIELD(fiber, turns),
	.fiber_function = FIELD(fiber, function),
	.fiber_name = FIELD(fiber, name),
	.fiber_creator = FIELD(fiber, creator_id),
	.fiber_created_at = FIELD(fiber, created_at),
	.fiber_born = FIELD(fiber, born),
	.fiber_sp = FIELD(fiber, context.sp),
	.fiber_cancelled = FIELD(fiber, cancelled),
#if defined __x86_64__
	.machine = EM_X86_64,
	.registers = 1,
	.saved = { { 6, CONTEXT_FRAME } },
#elif defined __aarch64__
	.machine = EM_AARCH64,
	.registers = 12,
	.saved = { { 29, CONTEXT_FRAME }, { 30, CONTEXT_PC }, { 19, 16 }, { 20, 24 }, { 21, 32 }, { 22, 40 }, { 23, 48 },
		   { 24, 56 }, { 25, 64 }, { 26, 72 }, { 27, 80 }, { 28, 88 } },
#endif
	.context_bytes = CONTEXT_SIZE,
	.pc_at = CONTEXT_PC,
	.states = { ADDRESS(states), COUNT(states), sizeof *states },
	.waits = { ADDRESS(waits), COUNT(waits), sizeof *waits },
	.scheduler = ADDRESS(scheduler),
	.scheduler_threads = FIELD(scheduler, threads),
	.scheduler_processors = FIELD(scheduler, processors),
	.scheduler_nprocessors = FIELD(scheduler, nprocessors),
	.scheduler_nqueue = FIELD(scheduler, nqueue),
	.thread_next = FIELD(thread, next),
	.thread_tid = FIELD(thread, tid),
	.thread_running = FIELD(thread, running),
	.thread_left = FIELD(thread, left),
	.thread_leave = FIELD(thread, leave),
	.thread_processor = FIELD(thread, processor),
	.thread_blocked = FIELD(thread, blocked),
	.processor_stride = sizeof(struct processor),
	.processor_number = FIELD(processor, number),
	.processor_thread = FIELD(processor, thread),
	.processor_turns = FIELD(processor, turns),
	.processor_alive = FIELD(processor, alive),
	.processor_timers = FIELD(processor, timers.n),
	.selection_cases = FIELD(selection, cases),
	.selection_count = FIELD(selection, n),
	.case_stride = sizeof(struct rt_case),
	.channel_wait = FIBER_WAIT_RECEIVE,
	.case_channel = FIELD(rt_case, chan),
	.case_send = FIELD(rt_case, send),
	.fiber_copy = FIELD(fiber, cold_copy),
	.fiber_copy_bytes = FIELD(fiber, cold_bytes),
};

__asm__(".pushsection .note.osprey_rt, \"a\", %note\n"
	".balign 4\n"
	".long 2f - 1f, 4f - 3f, 1\n"
	"1: .asciz \"" INSPECT_NOTE_NAME "\"\n"
	"2: .balign 4\n"
	"3: .quad inspect_root - 3b\n"
	"4: .balign 4\n"
	".popsection\n");
_Static_assert(INSPECT_NOTE_ROOT == 1, "the number in the note");
