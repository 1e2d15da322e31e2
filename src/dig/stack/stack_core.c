#include <errno.h>
#include <stdlib.h>

#include "dig/image/core_dump.h"
#include "dig/stack/stack.h"
#include "dig/stack/stack_unwind.h"

/* struct user_regs_struct: r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs flags rsp ss */
static const uint8_t place_of[UNWIND_REGISTERS] = { 10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0, 16 };
#define PLACE_OF_ORIG_RAX 15

static void take_thread(const struct core_dump *c, const struct core_thread *from, struct thread_stack *t)
{
	*t = (struct thread_stack){ .pid = c->pid, .tid = from->tid, .way = STACK_CORE, .syscall = -1,
				    .signal = from->signal };
	memcpy(t->comm, c->comm, sizeof t->comm);
	for (size_t i = 0; i < UNWIND_REGISTERS; i++)
		t->registers.value[i] = from->registers[place_of[i]];
	t->registers.known = (1u << UNWIND_REGISTERS) - 1;
	if ((int64_t)from->registers[PLACE_OF_ORIG_RAX] < 0)
		return;
	t->syscall = (int32_t)from->registers[PLACE_OF_ORIG_RAX];
	static const uint8_t arguments[] = { 5, 4, 1, 10, 8, 9 };
	for (size_t i = 0; i < 6; i++)
		t->argument[i] = t->registers.value[arguments[i]];
}

static int take_core(struct image_store *store, struct process_stacks *s)
{
	struct core_dump *c = s->core;
	int r = core_dump_space(c, store, &s->space);

	memcpy(s->comm, c->comm, sizeof s->comm);
	for (size_t i = 0; r >= 0 && i < c->threads.n; i++) {
		struct thread_stack *t = vec_push(&s->threads);
		if (!t)
			return -ENOMEM;
		take_thread(c, &c->threads.v[i], t);
	}
	return r < 0 ? r : stacks_unwind(s);
}

int process_stacks_of_core(struct image_store *store, const char *path, const char *executable,
			   struct process_stacks **ret, struct note *note)
{
	struct process_stacks *s = calloc(1, sizeof *s);
	int r = s ? core_dump_open(path, executable, &s->core, note) : note_set(note, -ENOMEM, "out of memory");

	if (r >= 0) {
		r = take_core(store, s);
		if (r < 0)
			note_set(note, r, "out of memory");
	}
	if (r < 0) {
		process_stacks_free(s);
		return r;
	}
	*ret = s;
	return 0;
}
