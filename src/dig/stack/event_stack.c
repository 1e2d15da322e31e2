#include "dig/stack/event_stack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/vec.h"
#include "dig/image/mapping_watch.h"
#include "dig/unwind/unwind.h"

/* Places in struct pt_regs by DWARF number. */
static const uint8_t place_of_register[UNWIND_REGISTERS] = { 10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0, 16 };
enum { PLACE_CS = 17, USER_CS_32 = 0x23 };

struct read {
	uint64_t address, value;
};

/* A stack that was walked: equal to another one whose pc, sp and rbp are the same and in which the words that the walk
 * read are the same. */
struct known_stack {
	uint64_t pc, sp, bp;
	uint32_t space; /* position */
	VEC(struct read) reads;
	VEC(struct event_frame) frame;
	const char *why;
};

struct known_space {
	int pid;
	struct address_space *space; /* NULL: the process had ended */
	bool failed;
	bool followed;	 /* `space` is what mapping_watch knows, as of `change` */
	uint64_t change;
	uint64_t not_before_ns, delay_ns; /* when mappings may be read again */
};

#define SPACES_KEPT 1024
#define DELAY_MIN_NS UINT64_C(1000000)
#define DELAY_MAX_NS UINT64_C(1000000000)

struct event_stacks {
	struct image_store *images;
	struct symbolizer *symbols;
	struct mapping_watch *watch; /* NULL: not permitted */
	struct map by_pid; /* position in `space`, of pid + 1 */
	VEC(struct known_space) space;
	struct map by_registers; /* position in `known` */
	VEC(struct known_stack) known;
	VEC(struct event_frame) frame;
	VEC(struct read) reads;
	struct unwind_frame walked[EVENT_FRAMES_MAX];
	bool out_of_memory;
};

static const char gone[] = "the process had ended before its mappings were read";
static const char no_memory[] = "out of memory";

/* The vDSO is the same in all, and that of a process that has ended cannot be read: ours can. */
static void open_vdso(struct event_stacks *s)
{
	struct address_space *ours = NULL;
	struct place place;

	if (address_space_of_process(s->images, getpid(), &ours, NULL) < 0)
		return;
	for (size_t i = 0; i < ours->map.mapping.n; i++)
		if (strcmp(ours->map.mapping.v[i].name, "[vdso]") == 0)
			(void)!address_space_find(ours, ours->map.mapping.v[i].start, &place);
	address_space_free(ours);
}

int event_stacks_new(const struct symbolizer_options *options, struct event_stacks **ret)
{
	struct event_stacks *s = calloc(1, sizeof *s);
	int r = s ? image_store_new(&s->images) : -ENOMEM;

	if (r == 0)
		r = symbolizer_new(options, &s->symbols);
	if (r < 0) {
		event_stacks_free(s);
		return r;
	}
	open_vdso(s);
	if (mapping_watch_new(&s->watch, NULL) < 0)
		s->watch = NULL;
	*ret = s;
	return 0;
}

static void forget_stacks(struct event_stacks *s)
{
	vec_each(k, &s->known) {
		vec_free(&k->reads);
		vec_free(&k->frame);
	}
	s->known.n = 0;
	map_clear(&s->by_registers);
}

static void forget_all(struct event_stacks *s)
{
	forget_stacks(s);
	vec_each(known, &s->space)
		address_space_free(known->space);
	s->space.n = 0;
	map_clear(&s->by_pid);
}

void event_stacks_free(struct event_stacks *s)
{
	if (!s)
		return;
	forget_all(s);
	vec_free(&s->known);
	vec_free(&s->space);
	vec_free(&s->frame);
	vec_free(&s->reads);
	map_deinit(&s->by_pid);
	map_deinit(&s->by_registers);
	symbolizer_free(s->symbols);
	mapping_watch_free(s->watch);
	image_store_free(s->images);
	free(s);
}

/* ---- spaces ---- */

static int open_same(const char *path, const struct mapping *m)
{
	struct stat st;
	int fd = open_regular(path);

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && st.st_ino == m->inode)
		return fd;
	close(fd);
	return -ESTALE;
}

/* A file of a process that may have ended: then by its path as we see it, when that is the same file. */
static int open_file_of(void *arg, const struct mapping *m)
{
	const struct address_space *a = arg;
	char path[4096 + 32];

	if (m->name[0] != '/')
		return -ENOENT;
	snprintf(path, sizeof path, "/proc/%d/map_files/%llx-%llx", a->pid, (unsigned long long)m->start,
		 (unsigned long long)m->end);
	int fd = open_same(path, m);
	if (fd < 0) {
		snprintf(path, sizeof path, "/proc/%d/root%s", a->pid, m->name);
		fd = open_same(path, m);
	}
	return fd >= 0 ? fd : open_same(m->name, m);
}

static void open_so(struct address_space *a, int pid)
{
	a->pid = pid;
	a->open_file = open_file_of;
	a->arg = a;
}

static bool follow(struct event_stacks *s, struct known_space *known, const struct mapped_process *p)
{
	struct memory_map map;
	struct address_space *a;

	if (known->followed && known->change == p->change)
		return true;
	if (mapping_watch_map(p, &map) < 0 || address_space_of_map(s->images, &map, &a) < 0)
		return false;
	open_so(a, p->pid);
	address_space_free(known->space);
	known->space = a;
	known->followed = true;
	known->failed = false;
	known->change = p->change;
	forget_stacks(s);
	return true;
}

static void read_mappings(struct event_stacks *s, struct known_space *known)
{
	known->failed = address_space_of_process(s->images, known->pid, &known->space, NULL) < 0;
	if (known->space)
		open_so(known->space, known->pid);
	/* Maps of a process that is ending are empty. */
	if (known->space && known->space->map.mapping.n == 0)
		known->failed = true;
}

static struct known_space *new_space(struct event_stacks *s, int pid)
{
	if (s->space.n >= SPACES_KEPT)
		forget_all(s);
	struct known_space *known = vec_push(&s->space);
	if (!known || map_set(&s->by_pid, (uint64_t)pid + 1, (uint32_t)(s->space.n - 1)) < 0) {
		s->space.n -= known != NULL;
		s->out_of_memory = true;
		return NULL;
	}
	*known = (struct known_space){ .pid = pid };
	return known;
}

static struct known_space *space_of(struct event_stacks *s, int pid)
{
	const struct mapped_process *p = s->watch ? mapping_watch_find(s->watch, pid) : NULL;
	uint32_t at = map_get(&s->by_pid, (uint64_t)pid + 1);
	struct known_space *known = at != MAP_NONE ? &s->space.v[at] : new_space(s, pid);

	if (!known || (p && p->whole && follow(s, known, p)))
		return known;
	if (at == MAP_NONE)
		read_mappings(s, known);
	/* A child that did not exec is laid out as its parent was. */
	if (known->failed && p && p->parent && p->parent != pid) {
		uint32_t parent = map_get(&s->by_pid, (uint64_t)p->parent + 1);

		if (parent != MAP_NONE && !s->space.v[parent].failed)
			return &s->space.v[parent];
	}
	return known;
}

void event_stacks_until(struct event_stacks *s, uint64_t ns)
{
	if (s->watch)
		mapping_watch_until(s->watch, ns);
}

bool event_stacks_follows(const struct event_stacks *s)
{
	return s->watch != NULL;
}

void event_stacks_meet(struct event_stacks *s, int pid)
{
	struct known_space *known = space_of(s, pid);
	struct place place;

	/* Its files too: those of another mount namespace are out of reach once it has ended. */
	for (size_t i = 0; known && known->space && i < known->space->map.mapping.n; i++)
		if (known->space->map.mapping.v[i].flags & MAPPING_EXECUTE)
			(void)!address_space_find(known->space, known->space->map.mapping.v[i].start, &place);
}

void event_stacks_forget(struct event_stacks *s, int pid)
{
	uint32_t at = map_get(&s->by_pid, (uint64_t)pid + 1);

	if (at == MAP_NONE)
		return;
	/* Its position stays its own: stacks that are known may name it. */
	address_space_free(s->space.v[at].space);
	s->space.v[at].space = NULL;
	s->space.v[at].failed = true;
	map_remove(&s->by_pid, (uint64_t)pid + 1);
}

/* Since `address` is in no mapping. A process that has ended keeps the mappings that were read last. What
 * stays in none (code of a JIT that came and went) is asked for ever more seldom. */
static bool refresh(struct event_stacks *s, struct known_space *known, uint64_t address)
{
	struct address_space *fresh = NULL;
	uint64_t now = clock_mono_ns();

	if (known->failed || known->followed || now < known->not_before_ns ||
	    address_space_of_process(s->images, known->pid, &fresh, NULL) < 0)
		return false;
	known->delay_ns = memory_map_find(&fresh->map, address) ? 0 :
			  known->delay_ns ? known->delay_ns * 2 : DELAY_MIN_NS;
	known->delay_ns = known->delay_ns > DELAY_MAX_NS ? DELAY_MAX_NS : known->delay_ns;
	known->not_before_ns = now + known->delay_ns;
	if (fresh->map.mapping.n == 0) {
		address_space_free(fresh);
		return false;
	}
	address_space_free(known->space);
	known->space = fresh;
	open_so(fresh, known->pid);
	return true;
}

/* ---- frames ---- */

static void add(struct event_stacks *s, const struct symbol *symbol, uint64_t address, bool kernel, bool guessed)
{
	struct event_frame *f = vec_push(&s->frame);

	if (!f) {
		s->out_of_memory = true;
		return;
	}
	*f = (struct event_frame){ symbol ? symbol->function : "", symbol ? symbol->module : "",
				   symbol ? symbol->offset : 0,
				   address, kernel, symbol && symbol->inlined, guessed };
}

static void add_user(struct event_stacks *s, struct address_space *space, uint64_t address, bool exact, bool guessed)
{
	const struct symbol *symbol;
	size_t n;

	if (!space || symbolize(s->symbols, space, address, exact, &symbol, &n) < 0) {
		add(s, NULL, address, false, guessed);
		return;
	}
	for (size_t i = 0; i < n; i++)
		add(s, &symbol[i], address, false, guessed);
}

static void answer(struct event_stacks *s, const char *why, struct event_frames *ret)
{
	*ret = (struct event_frames){ s->frame.v, s->frame.n, s->out_of_memory ? no_memory : why };
}

static bool is_mapped(struct address_space *a, uint64_t address)
{
	return a && memory_map_find(&a->map, address);
}

void event_stacks_addresses(struct event_stacks *s, int pid, const uint64_t *address, size_t n,
			    struct event_frames *ret)
{
	struct known_space *known = NULL;
	const struct symbol *symbol;

	s->frame.n = 0;
	s->out_of_memory = false;
	if (pid)
		known = space_of(s, pid);
	for (size_t i = 0; i < n; i++) {
		if (!pid) {
			add(s, symbolize_kernel(s->symbols, address[i], &symbol) == 0 ? symbol : NULL,
			    address[i], true, false);
			continue;
		}
		if (known && !is_mapped(known->space, address[i]))
			(void)!refresh(s, known, address[i]);
		add_user(s, known ? known->space : NULL, address[i], i == 0, false);
	}
	answer(s, known && known->failed ? gone : NULL, ret);
}

/* ---- walks ---- */

struct copy {
	struct event_stacks *stacks;
	const struct event_stack *from;
	size_t size; /* of bytes that are there */
};

static int read_copy(void *arg, uint64_t address, void *to, size_t n)
{
	struct copy *c = arg;
	uint64_t at = address - c->from->from;

	if (address < c->from->from || at > c->size || n > c->size - at)
		return -EFAULT;
	memcpy(to, c->from->bytes + at, n);
	return 0;
}

/* Notes what was read, word by word. */
static int read_noted(void *arg, uint64_t address, void *to, size_t n)
{
	struct copy *c = arg;
	int r = read_copy(arg, address, to, n);

	for (size_t at = 0; r == 0 && at < n; at += 8) {
		struct read *noted = vec_push(&c->stacks->reads);

		if (!noted) {
			c->stacks->out_of_memory = true;
			break;
		}
		*noted = (struct read){ address + at, 0 };
		memcpy(&noted->value, (char *)to + at, n - at < 8 ? n - at : 8);
	}
	return r;
}

static uint64_t register_of(const struct event_stack *e, unsigned dwarf)
{
	return e->registers[place_of_register[dwarf]];
}

static uint64_t key_of(const struct event_stack *e, uint32_t space)
{
	uint64_t key[4] = { register_of(e, UNWIND_RIP), register_of(e, UNWIND_RSP), register_of(e, UNWIND_RBP), space };

	return map_hash(key, sizeof key);
}

static const struct known_stack *find_known(struct event_stacks *s, uint32_t space, struct copy *c)
{
	uint32_t at = map_get(&s->by_registers, key_of(c->from, space));

	if (at == MAP_NONE)
		return NULL;
	const struct known_stack *k = &s->known.v[at];
	if (k->space != space || k->pc != register_of(c->from, UNWIND_RIP) ||
	    k->sp != register_of(c->from, UNWIND_RSP) ||
	    k->bp != register_of(c->from, UNWIND_RBP))
		return NULL;
	vec_each(read, &k->reads) {
		uint64_t value;

		if (read_copy(c, read->address, &value, sizeof value) < 0 || value != read->value)
			return NULL;
	}
	return k;
}

/* The one that was there under the key has just been found to differ. */
static void keep(struct event_stacks *s, uint32_t space, const struct event_stack *e, const char *why)
{
	uint64_t key = key_of(e, space);

	if (s->known.n >= EVENT_STACKS_KEPT)
		forget_stacks(s);
	uint32_t at = map_get(&s->by_registers, key);
	struct known_stack *k = at != MAP_NONE ? &s->known.v[at] : vec_push(&s->known);
	if (!k)
		return;
	if (at == MAP_NONE) {
		*k = (struct known_stack){ 0 };
		if (map_set(&s->by_registers, key, (uint32_t)(s->known.n - 1)) < 0) {
			s->known.n--;
			return;
		}
	}
	k->reads.n = k->frame.n = 0;
	*k = (struct known_stack){ .pc = register_of(e, UNWIND_RIP), .sp = register_of(e, UNWIND_RSP),
				   .bp = register_of(e, UNWIND_RBP), .space = UINT32_MAX, .why = why,
				   .reads = k->reads, .frame = k->frame };
	if (vec_reserve(&k->reads, s->reads.n) < 0 || vec_reserve(&k->frame, s->frame.n) < 0)
		return; /* UINT32_MAX: no such space, so it is never found */
	if (s->reads.n)
		memcpy(k->reads.v, s->reads.v, s->reads.n * sizeof *s->reads.v);
	if (s->frame.n)
		memcpy(k->frame.v, s->frame.v, s->frame.n * sizeof *s->frame.v);
	k->reads.n = s->reads.n;
	k->frame.n = s->frame.n;
	k->space = space;
}

static size_t walk(struct event_stacks *s, struct address_space *a, struct copy *c, uint32_t known,
		   enum unwind_end *end)
{
	struct unwind_registers r = { .known = known };
	struct unwind_memory memory = { read_noted, c };

	for (unsigned i = 0; i < UNWIND_REGISTERS; i++)
		r.value[i] = register_of(c->from, i);
	s->reads.n = 0;
	return unwind_walk(a, &r, &memory, s->walked, EVENT_FRAMES_MAX, end);
}

/* The three registers that nearly all rules go by first: then the frames are the same whatever the others hold. */
#define USUAL (1u << UNWIND_RIP | 1u << UNWIND_RSP | 1u << UNWIND_RBP)
#define ALL ((1u << UNWIND_REGISTERS) - 1)

static size_t walk_with(struct event_stacks *s, struct address_space *a, struct copy *c, enum unwind_end *end,
			bool *ret_usual)
{
	size_t n = walk(s, a, c, USUAL, end);

	*ret_usual = *end != UNWIND_NO_REGISTER;
	return *ret_usual ? n : walk(s, a, c, ALL, end);
}

static void walk_new(struct event_stacks *s, uint32_t at, struct copy *c, struct event_frames *ret)
{
	struct known_space *known = &s->space.v[at];
	enum unwind_end end = UNWIND_OUTSIDE;
	bool usual = false;
	size_t n = walk_with(s, known->space, c, &end, &usual);

	/* Outside of all mappings: of those that were read a while ago. */
	if ((end == UNWIND_OUTSIDE || !is_mapped(known->space, s->walked[0].pc)) && refresh(s, known, s->walked[0].pc))
		n = walk_with(s, known->space, c, &end, &usual);
	for (size_t i = 0; i < n; i++)
		add_user(s, known->space, s->walked[i].pc, s->walked[i].exact, s->walked[i].guessed);
	const char *why = end == UNWIND_NO_MEMORY && c->size == EVENT_STACK_BYTES ?
			  "deeper than the 8 KiB that are copied" : unwind_end_words(end);
	/* What is in no mapping now may be in one later. */
	if (usual && !s->out_of_memory && end != UNWIND_OUTSIDE)
		keep(s, at, c->from, why);
	answer(s, why, ret);
}

static void from_copy(struct event_stacks *s, int pid, struct copy *c, struct event_frames *ret)
{
	struct known_space *known = space_of(s, pid);
	uint32_t at = known ? (uint32_t)(known - s->space.v) : UINT32_MAX;

	if (!known || known->failed) {
		add(s, NULL, register_of(c->from, UNWIND_RIP), false, false);
		answer(s, gone, ret);
		return;
	}
	const struct known_stack *k = find_known(s, at, c);
	if (k)
		*ret = (struct event_frames){ k->frame.v, k->frame.n, k->why };
	else
		walk_new(s, at, c, ret);
}

void event_stacks_user(struct event_stacks *s, int pid, struct span bytes, struct event_frames *ret)
{
	const struct event_stack *e = (const void *)bytes.p;
	const size_t head = offsetof(struct event_stack, bytes);
	size_t size;

	s->frame.n = 0;
	s->out_of_memory = false;
	*ret = (struct event_frames){ NULL, 0, "no user stack" };
	if (bytes.n < head || (uintptr_t)bytes.p % 8)
		return;
	size = e->size < bytes.n - head ? e->size : bytes.n - head;
	size = size < EVENT_STACK_BYTES ? size : EVENT_STACK_BYTES;
	if (e->kind == EVENT_STACK_ADDRESSES) {
		event_stacks_addresses(s, pid, (const uint64_t *)(const void *)e->bytes, size / 8, ret);
		return;
	}
	if (e->kind != EVENT_STACK_COPY || (e->registers[PLACE_CS] & 3) != 3)
		return;
	if (e->registers[PLACE_CS] == USER_CS_32) {
		ret->why = "no stack of a 32-bit process";
		return;
	}
	if (pid <= 0) {
		ret->why = "no stack of a process outside of this pid namespace";
		return;
	}
	struct copy c = { s, e, size };
	from_copy(s, pid, &c, ret);
}
