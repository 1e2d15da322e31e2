#include <errno.h>

#include "dig/unwind/unwind.h"
#include "dig/unwind/unwind_rules.h"

enum {
	WALK_ON = -1, /* beside enum unwind_end */
	/* struct rt_sigframe of the kernel, seen from the trampoline: ucontext at rsp, its registers 40 bytes in,
	 * in the order of REG_R8…REG_RIP (asm/sigcontext.h). */
	SIGNAL_REGISTERS = 40,
	FRAME_MAX = 64 << 20, /* bytes between a guessed frame and the next */
};

struct walk {
	struct address_space *a;
	const struct unwind_memory *memory;
	struct unwind_registers r;
	bool exact, guessed, innermost;
	struct place place; /* of the address that is looked up; `mapping` NULL: in none */
	const struct unwind_table *table;
	struct unwind_trace *trace; /* nullable */
};

const char *unwind_end_words(enum unwind_end end)
{
	switch (end) {
	case UNWIND_OUTERMOST: return NULL;
	case UNWIND_NO_RULE: return "nothing describes the code here";
	case UNWIND_NO_MEMORY: return "the stack ends beyond the copied bytes";
	case UNWIND_NO_REGISTER: return "a register that is not known is needed";
	case UNWIND_STUCK: return "the stack does not lead upwards: damaged, or it changed while it was copied";
	case UNWIND_FULL: return "deeper than what is kept of a stack";
	case UNWIND_OUTSIDE: return "the caller is in no mapping with code";
	}
	return "unknown";
}

static uint64_t pc_of(const struct walk *w)
{
	return w->r.value[UNWIND_RIP];
}

static bool knows(const struct walk *w, unsigned reg)
{
	return w->r.known >> reg & 1;
}

static bool read_word(const struct walk *w, uint64_t address, uint64_t *ret)
{
	return w->memory->read(w->memory->arg, address, ret, sizeof *ret) == 0;
}

static bool in_place(const struct walk *w, uint64_t address)
{
	return w->place.mapping && address >= w->place.mapping->start && address < w->place.mapping->end;
}

/* Most frames lie in the mapping of the one before. */
static void go_to(struct walk *w, uint64_t address)
{
	if (in_place(w, address))
		return;
	w->table = NULL;
	if (!address_space_find(w->a, address, &w->place))
		w->place = (struct place){ 0 };
	else if (w->place.image && w->place.image->elf)
		w->table = image_unwind_table(w->place.image);
}

static bool has_code(const struct walk *w)
{
	return w->place.mapping && (w->place.mapping->flags & MAPPING_EXECUTE);
}

/* n bytes of code: of the stack's memory when it has them (a core), of the target, or of the file. */
static bool read_code(const struct walk *w, uint64_t address, void *to, size_t n)
{
	const struct place *p = &w->place;

	if (!in_place(w, address) || p->mapping->end - address < n)
		return false;
	if (w->memory->read(w->memory->arg, address, to, n) == 0)
		return true;
	if (p->image && p->image->elf && p->image->elf->fd >= 0 &&
	    elf_image_read(p->image->elf, address - p->mapping->start + p->mapping->offset, to, n) == 0)
		return true;
	return w->a->read && w->a->read(w->a->arg, address, to, n) == 0;
}

static int end_of(int rc)
{
	return rc == -EFAULT ? UNWIND_NO_MEMORY : rc == -ENODATA ? UNWIND_NO_REGISTER : UNWIND_NO_RULE;
}

/* To the caller's registers. A caller is in code, and further up: but behind a signal, which may have come on a stack
 * of its own, and where an expression says so (coroutines). */
static int arrive(struct walk *w, const struct unwind_registers *to, bool exact, bool guessed, bool may_fall)
{
	uint64_t pc = to->value[UNWIND_RIP], sp = to->value[UNWIND_RSP];
	bool rises = sp > w->r.value[UNWIND_RSP];

	if (pc == 0)
		return UNWIND_OUTERMOST; /* what the kernel and thread libraries put at the start */
	if (!rises && (!may_fall || (pc == pc_of(w) && sp == w->r.value[UNWIND_RSP])))
		return UNWIND_STUCK;
	go_to(w, exact ? pc : pc - 1);
	if (!has_code(w))
		return UNWIND_OUTSIDE;
	w->r = *to;
	w->exact = exact;
	w->guessed = guessed;
	w->innermost = false;
	return WALK_ON;
}

/* ---- what a walk depends on ---- */

static void depend_on_more(struct walk *w)
{
	if (w->trace)
		w->trace->whole = false;
}

static void depend_on_word(struct unwind_trace *t, uint64_t address, bool points)
{
	if (!address || t->n == UNWIND_TRACE_WORDS)
		t->whole = false;
	else
		t->word[t->n++] = (struct unwind_word){ address, points };
}

/* Of a rule that has led to `to`. Other registers matter only once a CFA is told by one. */
static void depend_on_rule(struct unwind_trace *t, const struct unwind_rule *rule, const struct unwind_registers *to)
{
	uint64_t cfa = to->value[UNWIND_RSP] - (uint64_t)(int64_t)rule->offset[UNWIND_RSP];
	bool by_register = rule->cfa == UNWIND_CFA_REGISTER;

	if (rule->signal_frame || (!by_register && rule->cfa != UNWIND_CFA_PLT) || rule->how[UNWIND_RSP] != UNWIND_CFA_PLUS ||
	    rule->how[UNWIND_RIP] != UNWIND_AT_CFA) {
		t->whole = false;
		return;
	}
	if (by_register && rule->cfa_register != UNWIND_RSP)
		depend_on_word(t, t->read_at[rule->cfa_register], true);
	depend_on_word(t, cfa + (uint64_t)(int64_t)rule->offset[UNWIND_RIP], false);
	for (unsigned i = 0; i < UNWIND_REGISTERS; i++)
		if (rule->how[i] == UNWIND_AT_CFA)
			t->read_at[i] = cfa + (uint64_t)(int64_t)rule->offset[i];
		else if (rule->how[i] != UNWIND_SAME)
			t->read_at[i] = 0;
}

static int step_by_rule(struct walk *w, const struct unwind_rule *rule)
{
	struct unwind_registers to;
	int rc = unwind_rule_apply(w->table, rule, w->place.bias, &w->r, w->memory, &to);

	if (rc == 0)
		return UNWIND_OUTERMOST;
	if (rc < 0)
		return end_of(rc);
	/* One that keeps its return address in a register has nothing on the stack: vfork. */
	if (w->trace)
		depend_on_rule(w->trace, rule, &to);
	bool may_fall = rule->signal_frame || rule->cfa == UNWIND_CFA_EXPRESSION ||
			rule->how[UNWIND_RIP] == UNWIND_REGISTER;
	return arrive(w, &to, rule->signal_frame, false, may_fall);
}

/* The way back from a signal handler: mov $15,%eax (or %rax); syscall. C libraries without call frames for it, Go and
 * musl among them, are known by that. */
static bool is_signal_return(const struct walk *w)
{
	static const uint8_t wide[] = { 0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05 },
			     narrow[] = { 0xb8, 15, 0, 0, 0, 0x0f, 0x05 };
	uint8_t code[sizeof wide];

	return (read_code(w, pc_of(w), code, sizeof wide) && memcmp(code, wide, sizeof wide) == 0) ||
	       (read_code(w, pc_of(w), code, sizeof narrow) && memcmp(code, narrow, sizeof narrow) == 0);
}

static int step_over_signal(struct walk *w)
{
	static const uint8_t order[] = { 8,  9,	 10, 11, 12, 13, 14, 15, 5 /* rdi */, 4 /* rsi */, UNWIND_RBP,
					 UNWIND_RBX, 1 /* rdx */, 0 /* rax */, 2 /* rcx */, UNWIND_RSP, UNWIND_RIP };
	struct unwind_registers to = { .known = (1u << UNWIND_REGISTERS) - 1 };
	uint64_t word[sizeof order], from = w->r.value[UNWIND_RSP] + SIGNAL_REGISTERS;

	if (w->memory->read(w->memory->arg, from, word, sizeof word) < 0)
		return UNWIND_NO_MEMORY;
	for (size_t i = 0; i < sizeof order; i++)
		to.value[order[i]] = word[i];
	return arrive(w, &to, true, false, true);
}

/* A caller whose return address is at `at`. */
static int step_to_return(struct walk *w, uint64_t at, bool has_rbp, uint64_t rbp)
{
	struct unwind_registers to = { .known = 1u << UNWIND_RSP | 1u << UNWIND_RIP };

	if (!read_word(w, at, &to.value[UNWIND_RIP]))
		return UNWIND_NO_MEMORY;
	to.value[UNWIND_RSP] = at + 8;
	to.value[UNWIND_RBP] = rbp;
	if (has_rbp)
		to.known |= 1u << UNWIND_RBP;
	return arrive(w, &to, false, true, false);
}

/* At the first and last instructions of a function the frame pointer is still, or again, the caller's. */
static bool at_border(const struct walk *w, uint64_t *ret_at, uint64_t *ret_rbp)
{
	uint64_t sp = w->r.value[UNWIND_RSP], pc = pc_of(w);
	uint8_t code[5] = { 0 }, before = 0;
	static const uint8_t endbr_push[] = { 0xf3, 0x0f, 0x1e, 0xfa, 0x55 }, move[] = { 0x48, 0x89, 0xe5 },
			     move_too[] = { 0x48, 0x8b, 0xec };

	if (!read_code(w, pc, code, sizeof code) && !read_code(w, pc, code, 3) && !read_code(w, pc, code, 1))
		return false;
	*ret_at = sp;
	*ret_rbp = w->r.value[UNWIND_RBP];
	if (code[0] == 0x55 || code[0] == 0xc3 || code[0] == 0xc2 || memcmp(code, endbr_push, 5) == 0)
		return true; /* push %rbp; ret */
	if ((memcmp(code, move, 3) == 0 || memcmp(code, move_too, 3) == 0) && read_code(w, pc - 1, &before, 1) &&
	    before == 0x55) {
		*ret_at = sp + 8;
		return read_word(w, sp, ret_rbp);
	}
	return false;
}

static int step_by_frame_pointer(struct walk *w)
{
	uint64_t rbp = w->r.value[UNWIND_RBP], sp = w->r.value[UNWIND_RSP], at, caller_rbp;

	if (w->exact && at_border(w, &at, &caller_rbp)) {
		int end = step_to_return(w, at, knows(w, UNWIND_RBP), caller_rbp);
		if (end == WALK_ON)
			return end;
	}
	if (!knows(w, UNWIND_RBP))
		return UNWIND_NO_RULE;
	/* psABI 3.4.1: 0 marks the outermost frame. */
	if (rbp == 0)
		return w->innermost ? UNWIND_NO_RULE : UNWIND_OUTERMOST;
	if (rbp < sp || rbp - sp > FRAME_MAX || rbp % 8)
		return UNWIND_NO_RULE;
	if (!read_word(w, rbp, &caller_rbp))
		return UNWIND_NO_MEMORY;
	int end = step_to_return(w, rbp + 8, true, caller_rbp);
	return end == UNWIND_OUTSIDE || end == UNWIND_STUCK ? UNWIND_NO_RULE : end;
}

/* A call through a bad pointer: the return address is what was pushed last. */
static int step_from_nowhere(struct walk *w)
{
	int end = step_to_return(w, w->r.value[UNWIND_RSP], knows(w, UNWIND_RBP), w->r.value[UNWIND_RBP]);

	return end == WALK_ON ? end : UNWIND_OUTSIDE;
}

static int step(struct walk *w)
{
	uint64_t look = w->exact ? pc_of(w) : pc_of(w) - 1;

	go_to(w, look);
	if (!has_code(w)) {
		depend_on_more(w);
		return w->innermost ? step_from_nowhere(w) : UNWIND_OUTSIDE;
	}
	size_t row = w->table ? unwind_table_row(w->table, look - w->place.bias) : UNWIND_NO_ROW;
	uint32_t index = row != UNWIND_NO_ROW ? w->table->row[row].rule : UNWIND_NO_RULE_INDEX;
	const struct unwind_rule *rule = w->table && index < w->table->nrules ? &w->table->rule[index] : NULL;
	/* A return to where another function begins: what lies before is not the caller when this is the way back
	 * from a signal, which nobody called. */
	bool begins = !rule || (!w->exact && !rule->signal_frame && row + 1 < w->table->nrows &&
				w->table->row[row + 1].pc == pc_of(w) - w->place.bias - w->table->base);
	if (begins && is_signal_return(w)) {
		depend_on_more(w);
		return step_over_signal(w);
	}
	if (rule)
		return step_by_rule(w, rule);
	depend_on_more(w);
	return step_by_frame_pointer(w);
}

size_t unwind_walk_traced(struct address_space *a, const struct unwind_registers *from, const struct unwind_memory *memory,
			  struct unwind_frame *ret, size_t max, enum unwind_end *ret_end, struct unwind_trace *trace)
{
	struct walk w = { .a = a, .memory = memory, .r = *from, .exact = true, .innermost = true, .trace = trace };
	size_t n = 0;
	int end;

	if (trace) {
		trace->whole = true;
		trace->n = 0;
	}
	do {
		ret[n++] = (struct unwind_frame){ pc_of(&w), w.r.value[UNWIND_RSP], w.exact, w.guessed };
		end = step(&w);
	} while (end == WALK_ON && n < max);
	*ret_end = end == WALK_ON ? UNWIND_FULL : (enum unwind_end)end;
	return n;
}

size_t unwind_walk(struct address_space *a, const struct unwind_registers *from, const struct unwind_memory *memory,
		   struct unwind_frame *ret, size_t max, enum unwind_end *ret_end)
{
	return unwind_walk_traced(a, from, memory, ret, max, ret_end, NULL);
}
