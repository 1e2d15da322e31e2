#include "dig/go/go_runtime.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "dig/image/memory_pieces.h"
#include "dig/symbol/image_symbols.h"
#include "dig/symbol/symbol.h"

#define DATA_MAX (64u << 20)  /* bytes of a mapping that is searched */
#define GOROUTINES_MAX (1u << 26)

/* What lies behind sched in g moved three times: parentGoid came and the tracer's fields left (1.21), syscallbp came (1.23), gobuf.ret left (1.25). */
static const struct go_layout layouts[] = {
	{ 25, 104, 112, 144, 152, 168, 176, 280, 296, 64 },
	{ 23, 112, 120, 152, 160, 176, 184, 288, 304, 72 },
	{ 21, 112, 120, 144, 152, 168, 176, 280, 296, 72 },
	{ 17, 112, 120, 144, 152, 168, 176, 296, 312, 72 },
};

const char *go_status_words(enum go_status status)
{
	static const char *const words[] = { "idle", "runnable", "running", "syscall", "waiting", "", "dead", "", "copystack",
					     "preempted", "leaked" };

	return (unsigned)status < sizeof words / sizeof *words ? words[status] : "";
}

/* ---- frames ---- */

static bool is(const struct go_function *f, const char *name)
{
	return strcmp(f->name, name) == 0;
}

/* Whoever was called by these was interrupted, and called nothing. */
static bool interrupts(const struct go_function *f)
{
	return is(f, "runtime.sigpanic") || is(f, "runtime.asyncPreempt");
}

/* These have no caller on their stack. */
static bool outermost(const struct go_function *f)
{
	return is(f, "runtime.goexit") || is(f, "runtime.mstart") || is(f, "runtime.rt0_go") || is(f, "runtime.mcall") ||
	       is(f, "runtime.morestack") || is(f, "runtime.asmcgocall");
}

/* What a pc means for the walk. `exact` asks for the pc itself, else for the call before it. */
struct go_step {
	uint64_t key; /* pc * 2 + exact; 0: empty */
	int64_t size; /* of the frame; -1: not told */
	bool covered, exact, outermost, interrupts, goexit;
};

#define STEPS 4096

static void find_step(const struct go_runtime *r, uint64_t pc, bool exact, struct go_step *ret)
{
	struct go_step step = { .key = pc * 2 + exact, .exact = exact, .size = -1 };
	uint64_t at = pc - r->bias;
	struct go_function f;

	/* A goroutine that has not begun stands at the very start of its function. */
	if (go_table_find(&r->go->table, at, &f) && f.entry == at)
		step.exact = true;
	at -= !step.exact;
	if (go_table_find(&r->go->table, at, &f)) {
		step.covered = true;
		step.outermost = outermost(&f);
		step.interrupts = interrupts(&f);
		step.goexit = is(&f, "runtime.goexit");
		step.size = go_table_frame_size(&r->go->table, &f, at);
	}
	*ret = step;
}

static const struct go_step *step_of(const struct go_runtime *r, uint64_t pc, bool exact)
{
	uint64_t key = pc * 2 + exact;
	struct go_step *step = &r->steps[key * UINT64_C(0x9e3779b97f4a7c15) >> 52];

	if (step->key != key)
		find_step(r, pc, exact, step);
	return step;
}

size_t go_walk(const struct go_runtime *r, const struct unwind_memory *memory, uint64_t pc, uint64_t sp, bool exact,
	       struct unwind_frame *ret, size_t max, enum unwind_end *ret_end)
{
	for (size_t n = 0; n < max;) {
		const struct go_step *step = step_of(r, pc, exact);

		if (!step->covered || (step->goexit && n)) {
			*ret_end = step->covered ? UNWIND_OUTERMOST : n ? UNWIND_OUTSIDE : UNWIND_NO_RULE;
			return n;
		}
		ret[n++] = (struct unwind_frame){ .pc = pc, .sp = sp, .exact = step->exact };
		if (step->outermost || step->size < 0) {
			*ret_end = step->outermost ? UNWIND_OUTERMOST : UNWIND_NO_RULE;
			return n;
		}
		if (memory->read(memory->arg, sp + (uint64_t)step->size, &pc, sizeof pc) < 0) {
			*ret_end = UNWIND_NO_MEMORY;
			return n;
		}
		sp += (uint64_t)step->size + 8;
		exact = step->interrupts;
	}
	*ret_end = UNWIND_FULL;
	return max;
}

size_t go_symbol(const struct go_runtime *r, uint64_t pc, bool exact, struct go_line *ret, size_t max)
{
	uint64_t at = pc - r->bias - !exact;
	struct go_function f;

	return go_table_find(&r->go->table, at, &f) ? go_table_lines(&r->go->table, &f, at, ret, max) : 0;
}

const char *go_function_name(const struct go_runtime *r, uint64_t pc)
{
	uint64_t at = pc - r->bias;
	struct go_function f;

	if (!pc || !go_table_find(&r->go->table, at, &f))
		return "";
	if (f.entry < at && !go_table_find(&r->go->table, at - 1, &f))
		return "";
	return f.name;
}

/* ---- finding it ---- */

static int read_at(const struct go_runtime *r, uint64_t address, void *to, size_t n)
{
	return r->space->read ? r->space->read(r->space->arg, address, to, n) : -EFAULT;
}

/* A slice whose first pointers lead to g's: bounds of a stack that are in order, and gobuf.g, which is the g itself. */
static bool is_all(const struct go_runtime *r, const uint64_t slice[3])
{
	uint64_t g[8], word[14];
	size_t n = slice[1] < 8 ? slice[1] : 8, good = 0;

	if (!slice[0] || slice[0] % 8 || !slice[1] || slice[1] > slice[2] || slice[2] > GOROUTINES_MAX ||
	    read_at(r, slice[0], g, n * 8) < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!g[i] || g[i] % 8 || read_at(r, g[i], word, sizeof word) < 0 || word[0] > word[1])
			return false;
		good += word[9] == g[i];
	}
	return good > 0;
}

static bool find_all(struct go_runtime *r, struct span data, uint64_t address)
{
	for (size_t i = 0; i + 24 <= data.n && !r->all; i += 8) {
		uint64_t slice[3];

		memcpy(slice, data.p + i, 24);
		if (is_all(r, slice))
			r->all = address + i;
	}
	return r->all;
}

static void read_reasons(struct go_runtime *r, uint64_t array)
{
	for (r->nreasons = 0; r->nreasons < GO_REASONS_MAX; r->nreasons++) {
		char *text = r->reason[r->nreasons];
		uint64_t string[2];

		if (read_at(r, array + 16ull * r->nreasons, string, sizeof string) < 0 ||
		    string[1] >= sizeof r->reason[0] || (!string[1] && r->nreasons) ||
		    (string[1] && read_at(r, string[0], text, string[1]) < 0))
			break;
		text[string[1]] = '\0';
		for (size_t i = 0; i < string[1]; i++)
			if (text[i] < ' ' || text[i] > '~')
				return;
	}
}

/* The second reason has had the same text since there are reasons. */
static bool find_reasons(struct go_runtime *r, struct span data, uint64_t address)
{
	static const char first[] = "GC assist marking";
	char text[sizeof first];

	for (size_t i = 16; i + 16 <= data.n; i += 8) {
		uint64_t string[2];

		memcpy(string, data.p + i, 16);
		if (string[1] == sizeof first - 1 && string[0] && read_at(r, string[0], text, sizeof first - 1) == 0 &&
		    memcmp(text, first, sizeof first - 1) == 0) {
			read_reasons(r, address + i - 16);
			return true;
		}
	}
	return false;
}

static int search(struct go_runtime *r, const struct mapping *m, bool *reasons)
{
	cleanup(buf_deinit) struct buf data = { 0 };
	size_t n = m->end - m->start;

	if (n > DATA_MAX)
		return 0;
	if (buf_reserve(&data, n) < 0)
		return -ENOMEM;
	data.n = read_at(r, m->start, data.data, n) == 0 ? n : 0;
	if (!r->all)
		(void)find_all(r, buf_span(&data), m->start);
	if (!*reasons)
		*reasons = find_reasons(r, buf_span(&data), m->start);
	if (!r->go->table.funcdata)
		r->go->table.funcdata = go_funcdata_in(buf_span(&data), &r->go->table, r->go->table_address + r->bias);
	if (r->go->table.funcdata && r->bias && r->go->table.funcdata > r->bias)
		r->go->table.funcdata -= r->bias;
	return 0;
}

/* The program's data, and the zeroed memory behind it. */
static int search_data(struct go_runtime *r, bool *reasons)
{
	struct memory_map *map = &r->space->map;
	bool ours = false;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < map->mapping.n && !(r->all && *reasons); i++) {
		const struct mapping *m = &map->mapping.v[i];
		struct place p;

		if (address_space_find(r->space, m->start, &p) && p.image == r->image)
			ours = true;
		else if (m->inode || !ours || !i || m[-1].end != m->start)
			ours = false;
		if (ours && m->flags & MAPPING_WRITE)
			rc = search(r, m, reasons);
	}
	return rc;
}

static int find_variables(struct go_runtime *r, struct note *note)
{
	uint64_t address, size;
	bool reasons = image_symbol(r->image, "runtime.waitReasonStrings", &address, &size) == 0;
	int rc;

	if (reasons)
		read_reasons(r, address + r->bias);
	if (image_symbol(r->image, "runtime.allgs", &address, &size) == 0)
		r->all = address + r->bias;
	rc = r->all && reasons ? 0 : search_data(r, &reasons);
	if (rc == 0 && !r->all)
		return note_set(note, -ESRCH, "%s is a Go program, but its list of goroutines was not found: it may just "
				"be starting", r->image->path);
	return rc;
}

/* Before 1.18 the section holds a pointer to the string. */
static void find_version(struct go_runtime *r)
{
	const struct elf_section *s = elf_image_find(r->image->elf, ".go.buildinfo");
	uint64_t pointer, string[2], address, size;
	bool found = false;

	memcpy(r->version, r->go->version, sizeof r->version);
	if (r->version[0])
		found = true;
	else if (image_symbol(r->image, "runtime.buildVersion", &address, &size) == 0)
		found = read_at(r, address + r->bias, string, 16) == 0;
	else if (s)
		found = read_at(r, s->header.sh_addr + r->bias + 16, &pointer, 8) == 0 &&
			read_at(r, pointer, string, 16) == 0;
	if (found && !r->version[0] && string[1] < sizeof r->version && read_at(r, string[0], r->version, string[1]) == 0)
		r->version[string[1]] = '\0';
	r->minor = go_version_minor(span_from(r->version));
}

static int find_image(struct go_runtime *r)
{
	struct image *last = NULL;

	for (size_t i = 0; i < r->space->map.mapping.n; i++) {
		const struct mapping *m = &r->space->map.mapping.v[i];
		struct place p;

		if (!(m->flags & MAPPING_EXECUTE) || !address_space_find(r->space, m->start, &p) || !p.image ||
		    !p.image->elf || p.image == last)
			continue;
		last = p.image;
		int rc = image_go_of(p.image, &r->go);
		if (rc < 0)
			return rc;
		if (r->go) {
			r->image = p.image;
			r->bias = p.bias;
			return 0;
		}
	}
	return -ENOENT;
}

static const struct go_layout *layout_of(unsigned minor)
{
	for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
		if (minor >= layouts[i].from_minor)
			return &layouts[i];
	return &layouts[sizeof layouts / sizeof *layouts - 1];
}

int go_runtime_find(struct address_space *a, struct go_runtime **ret, struct note *note)
{
	struct go_runtime *r = calloc(1, sizeof *r);
	int rc = -ENOMEM;

	if (r)
		r->steps = calloc(STEPS, sizeof *r->steps);
	if (r && r->steps) {
		r->space = a;
		rc = find_image(r);
	}
	if (rc == -ENOENT)
		rc = note_set(note, rc, "no Go program: none of its files has a table of Go functions");
	if (rc == 0)
		find_version(r);
	if (rc == 0 && r->minor && r->minor < 17)
		rc = note_set(note, -EOPNOTSUPP, "built with %.20s: goroutines are read from Go 1.17 on", r->version);
	if (rc == 0)
		rc = find_variables(r, note);
	if (rc < 0) {
		go_runtime_free(r);
		return rc;
	}
	r->layout = *layout_of(r->minor ? r->minor : 21);
	*ret = r;
	return 0;
}

void go_runtime_free(struct go_runtime *r)
{
	if (r)
		free(r->steps);
	free(r);
}

/* ---- goroutines ---- */

#define G_BYTES 320

static uint64_t field(const char *g, unsigned at)
{
	uint64_t value;

	memcpy(&value, g + at, 8);
	return value;
}

static uint32_t status_of(const struct go_layout *l, const char *g)
{
	return (uint32_t)field(g, l->status) & ~0x1000u; /* _Gscan */
}

/* How many g's make sense by it: a state that exists, an id that is not the one of the g before. */
static size_t fit(const struct go_layout *l, const char *gs, size_t n)
{
	uint64_t before = 0;
	size_t good = 0;

	for (size_t i = 0; i < n; i++) {
		const char *g = gs + i * G_BYTES;
		uint64_t id = field(g, l->id);

		good += status_of(l, g) <= GO_LEAKED && id && id != before && id < 1ull << 48 &&
			(unsigned char)g[l->wait_reason] < GO_REASONS_MAX;
		before = id;
	}
	return good;
}

static bool confirm_layout(struct go_runtime *r, const char *gs, size_t n)
{
	size_t best;

	n = n < 1000 ? n : 1000;
	best = fit(&r->layout, gs, n);
	for (size_t i = 0; i < sizeof layouts / sizeof *layouts && best < n / 2 + 1; i++)
		if (fit(&layouts[i], gs, n) > best) {
			best = fit(&layouts[i], gs, n);
			r->layout = layouts[i];
		}
	r->layout_confirmed = best >= n / 2 + 1;
	return r->layout_confirmed;
}

static bool is_system(const struct go_runtime *r, uint64_t start_pc)
{
	const char *name = go_function_name(r, start_pc);

	return strncmp(name, "runtime.", 8) == 0 && strcmp(name, "runtime.main") != 0 &&
	       strcmp(name, "runtime.handleAsyncEvent") != 0;
}

static void thread_of(const struct go_runtime *r, const char *g, struct goroutine *to)
{
	uint64_t m = field(g, 48), tid;

	if (m && read_at(r, m + r->layout.thread_id, &tid, 8) == 0 && tid <= INT32_MAX)
		to->tid = (int)tid;
}

static void describe(struct go_runtime *r, uint64_t address, const char *g, uint64_t now_ns, struct goroutine *to)
{
	const struct go_layout *l = &r->layout;
	uint64_t since = field(g, l->wait_since);
	unsigned reason = (unsigned char)g[l->wait_reason];

	*to = (struct goroutine){ .id = field(g, l->id), .address = address, .status = (enum go_status)status_of(l, g),
				  .wait_reason = "", .wait_ns = READING_ABSENT, .created_pc = field(g, l->created_pc),
				  .start_pc = field(g, l->start_pc), .end = UNWIND_NO_RULE };
	if (to->status == GO_WAITING && reason < r->nreasons)
		to->wait_reason = r->reason[reason];
	if ((to->status == GO_WAITING || to->status == GO_SYSCALL) && now_ns && since && since <= now_ns)
		to->wait_ns = now_ns - since;
	if (to->status == GO_RUNNING || to->status == GO_SYSCALL)
		thread_of(r, g, to);
	to->system = is_system(r, to->start_pc);
	if (to->id == 1) /* what began the program is no `go` statement */
		to->created_pc = 0;
}

/* Where it stands: what the scheduler or the way into the system call has saved. */
static bool stands_at(const struct go_runtime *r, const char *g, const struct goroutine *of, uint64_t *ret_pc,
		      uint64_t *ret_sp)
{
	bool in_call = of->status == GO_SYSCALL && field(g, r->layout.syscall_sp);

	if (of->status == GO_RUNNING || of->status == GO_COPYSTACK)
		return false;
	*ret_sp = field(g, in_call ? r->layout.syscall_sp : 56);
	*ret_pc = field(g, in_call ? r->layout.syscall_pc : 64);
	return *ret_sp >= field(g, 0) && *ret_sp < field(g, 8);
}

static int walk_one(const struct go_runtime *r, const char *g, struct copied_stack *stack, struct goroutine *to,
		    struct goroutines *all)
{
	struct unwind_memory memory = { copied_stack_read, stack };
	uint64_t pc, sp;

	to->first = all->frame.n;
	if (!stands_at(r, g, to, &pc, &sp))
		return 0;
	if (vec_reserve(&all->frame, GO_FRAMES_MAX) < 0)
		return -ENOMEM;
	to->nframes = go_walk(r, &memory, pc, sp, false, all->frame.v + all->frame.n, GO_FRAMES_MAX, &to->end);
	all->frame.n += to->nframes;
	return 0;
}

/* What must not have changed for the stack to be the one of this wait. */
static bool same(const struct go_layout *l, const char *a, const char *b)
{
	return status_of(l, a) == status_of(l, b) && field(a, l->id) == field(b, l->id) && field(a, 56) == field(b, 56) &&
	       field(a, 64) == field(b, 64) && field(a, 0) == field(b, 0);
}

/* A batch at a time: buffers that stay in the caches, and a second look soon after the first. */
struct reads {
	uint64_t *address; /* of all g's */
	size_t nall;
	size_t from, n; /* of the batch */
	char *g, *again;
	bool had[PIECES_MAX], had_again[PIECES_MAX];
	struct copied_stacks stacks;
	size_t stack[PIECES_MAX]; /* number of the stack of each */
};

static void reads_free(struct reads *x)
{
	free(x->address);
	free(x->g);
	free(x->again);
	copied_stacks_deinit(&x->stacks);
}

static int read_pointers(struct go_runtime *r, struct reads *x, struct note *note)
{
	uint64_t slice[3];
	int rc = read_at(r, r->all, slice, sizeof slice);

	if (rc == 0 && (!slice[0] || slice[1] > slice[2] || slice[1] > GOROUTINES_MAX))
		rc = -EBADMSG;
	if (rc < 0)
		return note_set(note, rc, "the list of goroutines cannot be read: %s", strerror(-rc));
	x->nall = slice[1];
	x->address = malloc((x->nall + 1) * 8);
	x->g = malloc(PIECES_MAX * G_BYTES);
	x->again = malloc(PIECES_MAX * G_BYTES);
	if (!x->address || !x->g || !x->again)
		return -ENOMEM;
	return x->nall ? read_at(r, slice[0], x->address, x->nall * 8) : 0;
}

static void read_gs(const struct go_runtime *r, const struct reads *x, char *to, bool *had)
{
	struct memory_piece p[PIECES_MAX];

	for (size_t i = 0; i < x->n; i++)
		p[i] = (struct memory_piece){ x->address[x->from + i], to + i * G_BYTES, G_BYTES, false };
	memory_pieces_read(r->space, p, x->n);
	for (size_t i = 0; i < x->n; i++) {
		had[i] = p[i].had;
		if (!had[i])
			memset(p[i].to, 0, G_BYTES);
	}
}

static int read_stacks(const struct go_runtime *r, struct reads *x)
{
	copied_stacks_clear(&x->stacks);
	for (size_t i = 0; i < x->n; i++) {
		const char *g = x->g + i * G_BYTES;
		struct goroutine of = { .status = (enum go_status)status_of(&r->layout, g) };
		uint64_t pc, sp;

		x->stack[i] = SIZE_MAX;
		if (!x->had[i] || of.status == GO_DEAD || of.status == GO_IDLE || !stands_at(r, g, &of, &pc, &sp))
			continue;
		x->stack[i] = x->stacks.stack.n;
		if (copied_stacks_want(&x->stacks, sp, field(g, 8)) < 0)
			return -ENOMEM;
	}
	return copied_stacks_read(&x->stacks, r->space);
}

static int by_id(const void *a, const void *b)
{
	const struct goroutine *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int collect(struct go_runtime *r, struct reads *x, struct goroutines *to)
{
	uint64_t now_ns = r->space->pid > 0 ? clock_mono_ns() : 0;
	struct copied_stack none = { 0 };

	for (size_t i = 0; i < x->n; i++) {
		const char *g = x->g + i * G_BYTES;
		uint32_t status = status_of(&r->layout, g);
		struct goroutine *one;

		if (!x->had[i]) {
			to->unread++;
			continue;
		}
		if (status == GO_DEAD || status == GO_IDLE)
			continue;
		one = vec_push(&to->goroutine);
		if (!one)
			return -ENOMEM;
		describe(r, x->address[x->from + i], g, now_ns, one);
		if (walk_one(r, g, x->stack[i] == SIZE_MAX ? &none : &x->stacks.stack.v[x->stack[i]], one, to) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* `first`: where those of the batch begin. */
static void mark_torn(const struct go_runtime *r, const struct reads *x, struct goroutines *all, size_t first)
{
	struct goroutine *one = all->goroutine.v + first;

	/* Both lists are in the order of allgs. */
	for (size_t i = 0; i < x->n && first < all->goroutine.n; i++) {
		if (one == all->goroutine.v + all->goroutine.n)
			break;
		if (!x->had[i] || one->address != x->address[x->from + i])
			continue;
		one->torn = !x->had_again[i] || !same(&r->layout, x->g + i * G_BYTES, x->again + i * G_BYTES);
		all->torn += one++->torn;
	}
}

static int read_batch(struct go_runtime *r, struct reads *x, struct goroutines *to, struct note *note)
{
	size_t first = to->goroutine.n;
	int rc;

	read_gs(r, x, x->g, x->had);
	if (x->from == 0 && !confirm_layout(r, x->g, x->n))
		return note_set(note, -EBADMSG, "its goroutines are not laid out as those of Go 1.17 to 1.25 (it says %.20s)",
				r->version[0] ? r->version : "no version");
	rc = read_stacks(r, x);
	/* Stacks that are deeper than what was copied are read on while they are walked: so the second look comes last. */
	if (rc == 0)
		rc = collect(r, x, to);
	if (rc < 0)
		return rc;
	read_gs(r, x, x->again, x->had_again);
	mark_torn(r, x, to, first);
	return 0;
}

static int read_all(struct go_runtime *r, struct reads *x, struct goroutines *to, struct note *note)
{
	int rc = read_pointers(r, x, note);

	for (x->from = 0; rc == 0 && x->from < x->nall; x->from += PIECES_MAX) {
		x->n = x->nall - x->from < PIECES_MAX ? x->nall - x->from : PIECES_MAX;
		rc = read_batch(r, x, to, note);
	}
	if (rc == 0 && to->goroutine.n)
		qsort(to->goroutine.v, to->goroutine.n, sizeof *to->goroutine.v, by_id);
	return rc;
}

int go_goroutines_read(struct go_runtime *r, struct goroutines *ret, struct note *note)
{
	struct reads x = { 0 };
	struct goroutines all = { 0 };
	int rc = read_all(r, &x, &all, note);

	reads_free(&x);
	if (rc < 0) {
		goroutines_deinit(&all);
		return rc == -ENOMEM ? note_set(note, rc, "out of memory") : rc;
	}
	goroutines_deinit(ret);
	*ret = all;
	return 0;
}

void goroutines_deinit(struct goroutines *g)
{
	vec_free(&g->goroutine);
	vec_free(&g->frame);
}
