#include "tell.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <unwind.h>

#include <osprey/rt/sync.h>

#include "cold/cold.h"
#include "mutex.h"
#include "selection.h"
#include "symbol_self.h"
#include "thread.h"

/* So many fibers are told one by one; a million lines help nobody. */
#define MOST_TOLD 100
#define MOST_FRAMES 64
/* Of a recursion, whose frames are told once. */
#define MOST_DEEP 10000
#define MOST_CASES 16

static const char *const waits_for[] = {
	[FIBER_WAIT_NONE] = "runs",
	[FIBER_WAIT_JOIN] = "joins fiber",
	[FIBER_WAIT_SLEEP] = "sleeps",
	[FIBER_WAIT_SEND] = "sends to channel",
	[FIBER_WAIT_RECEIVE] = "receives from channel",
	[FIBER_WAIT_SELECT] = "selects among the cases at",
	[FIBER_WAIT_MUTEX] = "waits for mutex",
	[FIBER_WAIT_READ_LOCK] = "waits to read under lock",
	[FIBER_WAIT_WRITE_LOCK] = "waits to write under lock",
	[FIBER_WAIT_SEMAPHORE] = "waits for semaphore",
	[FIBER_WAIT_EVENT] = "waits for event",
	[FIBER_WAIT_CONDITION] = "waits for condition",
	[FIBER_WAIT_GROUP] = "waits for wait group",
	[FIBER_WAIT_ONCE] = "waits for once",
	[FIBER_WAIT_SCOPE] = "closes scope",
	[FIBER_WAIT_POOL] = "waits for a thread's call of",
	[FIBER_WAIT_READ] = "waits to read at descriptor",
	[FIBER_WAIT_WRITE] = "waits to write at descriptor",
	[FIBER_WAIT_KERNEL] = "waits for a call that the kernel carries on",
};

void tell(const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	size_t length = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
	for (size_t at = 0; at < length;) {
		ssize_t r = write(STDERR_FILENO, text + at, length - at);
		if (r < 0 && errno != EINTR)
			return;
		at += r < 0 ? 0 : (size_t)r;
	}
}

void tell_fiber(const struct fiber *f)
{
	bool parked = atomic_load(&f->state) == FIBER_PARKED;

	tell("fiber %" PRIu64 "%s%s%s, started by ", atomic_load(&f->id), f->name ? " (" : "",
		f->name ? f->name : "", f->name ? ")" : "");
	if (f->creator_id)
		tell("fiber %" PRIu64, f->creator_id);
	else
		tell("rt_run");
	const void *object = f->wait_object;
	if (parked && f->wait == FIBER_WAIT_SELECT)
		object = ((const struct selection *)object)->cases;
	if (!parked)
		tell("\n");
	else if (f->wait == FIBER_WAIT_JOIN)
		tell(": %s %" PRIu64 "\n", waits_for[f->wait], atomic_load(&((const struct fiber *)object)->id));
	else if (object)
		tell(": %s %p\n", waits_for[f->wait], object);
	else
		tell(": %s%s\n", waits_for[f->wait], f->wait == FIBER_WAIT_SLEEP ? "" : " NULL, for ever");
}

/* -- places */

struct place {
	uintptr_t pc, base;
	bool found;
};

static int place_is_within(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct place *place = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		if (p->p_type != PT_LOAD || place->pc - (info->dlpi_addr + p->p_vaddr) >= p->p_memsz)
			continue;
		place->base = info->dlpi_addr;
		place->found = true;
		return 1;
	}
	return 0;
}

/* In a static program, of which dladdr knows nothing. */
static void tell_static(uintptr_t pc)
{
	struct place place = { .pc = pc };
	char name[128];
	uint64_t offset;

	dl_iterate_phdr(place_is_within, &place);
	if (place.found && symbol_self("/proc/self/exe", pc - place.base, name, sizeof name, &offset) == 0)
		tell("%s+%#" PRIx64 " (%#" PRIxPTR ")\n", name, offset, pc - place.base);
	else
		tell("%#" PRIxPTR "\n", pc);
}

/* "name+0x12 (file+0x3412)". */
static void tell_place(uintptr_t pc)
{
	char name[128];
	uint64_t offset;
	Dl_info info;

	if (!dladdr((void *)pc, &info) || !info.dli_fname) {
		tell_static(pc);
		return;
	}
	/* A program that is loaded where it was linked for counts from zero. */
	uintptr_t base = (uintptr_t)info.dli_fbase;
	if (symbol_self(info.dli_fname, pc - base, name, sizeof name, &offset) == 0 ||
	    symbol_self(info.dli_fname, pc, name, sizeof name, &offset) == 0)
		tell("%s+%#" PRIx64 " (%s+%#" PRIxPTR ")\n", name, offset, info.dli_fname, pc - base);
	else if (info.dli_sname)
		tell("%s+%#" PRIxPTR " (%s+%#" PRIxPTR ")\n", info.dli_sname, pc - (uintptr_t)info.dli_saddr,
			info.dli_fname, pc - base);
	else
		tell("%s+%#" PRIxPTR "\n", info.dli_fname, pc - base);
}

struct telling {
	int skip;
	int n, deep;
	uintptr_t last;		/* and how often it came again since it was told */
	unsigned again;
};

static void tell_again(struct telling *telling)
{
	if (telling->again)
		tell("    … %u times more\n", telling->again);
	telling->again = 0;
}

static _Unwind_Reason_Code tell_frame(struct _Unwind_Context *context, void *arg)
{
	struct telling *telling = arg;
	int before = 0;
	uintptr_t pc = (uintptr_t)_Unwind_GetIPInfo(context, &before);

	if (pc == 0 || telling->n == MOST_FRAMES || telling->deep++ == MOST_DEEP)
		return _URC_END_OF_STACK;
	if (telling->skip > 0) {
		telling->skip--;
		return _URC_NO_REASON;
	}
	if (!before)
		pc--;	/* into the call, not behind it */
	if (pc == telling->last) {
		telling->again++;
		return _URC_NO_REASON;
	}
	tell_again(telling);
	telling->last = pc;
	telling->n++;
	tell("    ");
	tell_place(pc);
	return _URC_NO_REASON;
}

__attribute__((noinline)) void tell_stack(int skip)
{
	struct telling telling = { .skip = skip + 1 };

	_Unwind_Backtrace(tell_frame, &telling);
	tell_again(&telling);
}

void tell_origin(const struct fiber *f)
{
	if (!f->created_at)
		return;
	tell("    started in ");
	tell_place((uintptr_t)f->created_at - 1);
}

static void tell_holder(uint64_t id)
{
	if (id)
		tell("    held by fiber %" PRIu64 "\n", id);
}

static void tell_cases(const struct selection *s)
{
	for (size_t i = 0; i < s->n && i < MOST_CASES; i++)
		if (s->cases[i].chan)
			tell("    case %zu: %s channel %p\n", i, s->cases[i].send ? "sends to" : "receives from", (void *)s->cases[i].chan);
		else
			tell("    case %zu: NULL\n", i);
	if (s->n > MOST_CASES)
		tell("    and %zu more\n", s->n - MOST_CASES);
}

/* Of one that is parked: more of what it waits for than its line says. */
static void tell_wait(const struct fiber *f)
{
	switch (f->wait) {
	case FIBER_WAIT_SELECT:
		tell_cases(f->wait_object);
		break;
	case FIBER_WAIT_MUTEX:
		tell_holder(((const struct rt_mutex *)f->wait_object)->owner & MUTEX_OWNER);
		break;
	case FIBER_WAIT_READ_LOCK:
	case FIBER_WAIT_WRITE_LOCK:
		tell_holder(((const struct rt_rwlock *)f->wait_object)->writer);
		break;
	default:
		break;
	}
}

void tell_shown(struct thread *t, struct fiber *f)
{
	/* Without this function and the two of the scheduler that led here. */
	tell_stack(2);
	context_switch(&f->context, &t->loop);
}

static void show(struct thread *t, struct fiber *f)
{
	struct context at = f->context, loop = t->loop;
	char saved[CONTEXT_SIZE];

	/* Its frames are used below where it was left, and what it was left with is put back. */
	memcpy(saved, at.sp, sizeof saved);
	t->left = f;
	t->leave = LEAVE_SHOW;
	context_switch(&t->loop, &f->context);
	memcpy(at.sp, saved, sizeof saved);
	t->leave = LEAVE_NOTHING;
	t->loop = loop;
	f->context = at;
}

void tell_parked(struct thread *t, struct fiber *f)
{
	tell_fiber(f);
	bool cold = cold_show_begin(f);
	tell_wait(f);
	show(t, f);
	cold_show_end(f, cold);
	tell_origin(f);
}

void tell_waiting(struct thread *t)
{
	uint32_t n = 0;

	for (int size = 0; size < FIBER_STACK_SIZES; size++) {
		uint32_t used = fiber_used((enum rt_stack)size);
		for (uint32_t i = 0; i < used; i++) {
			struct fiber *f = fiber_at((enum rt_stack)size, i);
			if (atomic_load(&f->state) != FIBER_PARKED || n++ >= MOST_TOLD)
				continue;
			tell_parked(t, f);
		}
	}
	if (n > MOST_TOLD)
		tell("… and %u more\n", n - MOST_TOLD);
}
