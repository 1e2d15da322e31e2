#include "dig/leak/leak_allocator.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dig/image/target_memory.h"
#include "dig/probe/user_file.h"

#define OBJECTS_MAX 4096
#define SEGMENTS_MAX 64
#define DYNAMIC_MAX 512
#define CODE_MAX (1u << 20) /* functions further apart than that are not one piece of code */
#define LAST_FUNCTION_BYTES 512

static const struct known {
	const char *name;
	enum leak_call call;
	bool cpp;
} known[] = {
	{ "malloc", LEAK_FIRST, false },	  { "valloc", LEAK_FIRST, false },
	{ "pvalloc", LEAK_FIRST, false },	  { "mallocx", LEAK_FIRST, false },
	{ "memalign", LEAK_SECOND, false },	  { "aligned_alloc", LEAK_SECOND, false },
	{ "calloc", LEAK_PRODUCT, false },	  { "posix_memalign", LEAK_THROUGH, false },
	{ "realloc", LEAK_AGAIN, false },	  { "rallocx", LEAK_AGAIN, false },
	{ "free", LEAK_FREE, false },		  { "cfree", LEAK_FREE, false },
	{ "dallocx", LEAK_FREE, false },	  { "sdallocx", LEAK_FREE, false },
	{ "free_sized", LEAK_FREE, false },	  { "free_aligned_sized", LEAK_FREE, false },
	/* operator new, new[], with std::nothrow, with an alignment */
	{ "_Znwm", LEAK_FIRST, true },		  { "_Znam", LEAK_FIRST, true },
	{ "_ZnwmRKSt9nothrow_t", LEAK_FIRST, true }, { "_ZnamRKSt9nothrow_t", LEAK_FIRST, true },
	{ "_ZnwmSt11align_val_t", LEAK_FIRST, true }, { "_ZnamSt11align_val_t", LEAK_FIRST, true },
	{ "_ZnwmSt11align_val_tRKSt9nothrow_t", LEAK_FIRST, true },
	{ "_ZnamSt11align_val_tRKSt9nothrow_t", LEAK_FIRST, true },
	/* operator delete, delete[], sized */
	{ "_ZdlPv", LEAK_FREE, true },		  { "_ZdaPv", LEAK_FREE, true },
	{ "_ZdlPvm", LEAK_FREE, true },		  { "_ZdaPvm", LEAK_FREE, true },
	{ "_ZdlPvRKSt9nothrow_t", LEAK_FREE, true }, { "_ZdaPvRKSt9nothrow_t", LEAK_FREE, true },
	{ "_ZdlPvSt11align_val_t", LEAK_FREE, true }, { "_ZdaPvSt11align_val_t", LEAK_FREE, true },
	{ "_ZdlPvmSt11align_val_t", LEAK_FREE, true }, { "_ZdaPvmSt11align_val_t", LEAK_FREE, true },
	{ "_ZdlPvSt11align_val_tRKSt9nothrow_t", LEAK_FREE, true },
	{ "_ZdaPvSt11align_val_tRKSt9nothrow_t", LEAK_FREE, true },
};
#define KNOWN (sizeof known / sizeof known[0])

/* Allocators that are linked in beside the C library's, under names of their own. */
static const char *const prefixes[] = { "je_", "_rjem_", "mi_", "tc_" };

/* KNOWN: none of an allocator. */
static size_t known_at(const char *name)
{
	size_t i = 0;

	while (i < KNOWN && strcmp(known[i].name, name) != 0)
		i++;
	return i;
}

/* The same of "je_malloc". */
static size_t prefixed_at(const char *name)
{
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
		size_t n = strlen(prefixes[i]);
		if (strncmp(name, prefixes[i], n) == 0)
			return known_at(name + n);
	}
	return KNOWN;
}

bool leak_call_of(const char *name, bool *ret_prefixed, enum leak_call *ret)
{
	size_t i = known_at(name);

	*ret_prefixed = i == KNOWN;
	i = i < KNOWN ? i : prefixed_at(name);
	if (i < KNOWN)
		*ret = known[i].call;
	return i < KNOWN;
}

/* ---- objects in the order of the loader ---- */

/* An address within each: of its code or its dynamic section. */
typedef VEC(uint64_t) object_vec;

struct program {
	uint64_t header; /* address of its program headers */
	uint64_t dynamic; /* 0: it has none */
	bool interpreted; /* a loader started it */
};

static int read_auxv(int pid, uint64_t *ret_header, uint64_t *ret_count)
{
	char path[40];
	Elf64_auxv_t entry[64];

	snprintf(path, sizeof path, "/proc/%d/auxv", pid);
	cleanup(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, entry, sizeof entry);
	if (n <= 0)
		return n < 0 ? -errno : -ESRCH;
	*ret_header = *ret_count = 0;
	for (size_t i = 0; i < (size_t)n / sizeof entry[0]; i++) {
		if (entry[i].a_type == AT_PHDR)
			*ret_header = entry[i].a_un.a_val;
		if (entry[i].a_type == AT_PHNUM)
			*ret_count = entry[i].a_un.a_val;
	}
	return *ret_header && *ret_count && *ret_count <= SEGMENTS_MAX ? 0 : -EBADMSG;
}

static int read_program(int pid, struct program *ret)
{
	Elf64_Phdr segment[SEGMENTS_MAX];
	uint64_t count = 0, base = 0;
	int r = read_auxv(pid, &ret->header, &count);

	r = r < 0 ? r : target_memory_read(pid, ret->header, segment, count * sizeof segment[0]);
	if (r < 0)
		return r;
	ret->dynamic = 0;
	ret->interpreted = false;
	for (size_t i = 0; i < count; i++) {
		/* Headers are told with their own place; a program without that lies where it says. */
		if (segment[i].p_type == PT_PHDR)
			base = ret->header - segment[i].p_vaddr;
		if (segment[i].p_type == PT_DYNAMIC)
			ret->dynamic = segment[i].p_vaddr;
		ret->interpreted |= segment[i].p_type == PT_INTERP;
	}
	ret->dynamic += ret->dynamic ? base : 0;
	return 0;
}

/* 0: the loader has not yet put it there. */
static uint64_t debug_of(int pid, const struct program *p)
{
	for (size_t i = 0; i < DYNAMIC_MAX; i++) {
		Elf64_Dyn entry;

		if (target_memory_read(pid, p->dynamic + i * sizeof entry, &entry, sizeof entry) < 0 ||
		    entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_DEBUG)
			return entry.d_un.d_ptr;
	}
	return 0;
}

static int add_object(object_vec *v, uint64_t address)
{
	uint64_t *slot = vec_push(v);

	if (!slot)
		return -ENOMEM;
	*slot = address;
	return 0;
}

static int list_objects(int pid, const struct program *p, object_vec *ret)
{
	struct r_debug debug;
	struct link_map map;
	uint64_t debug_address = p->interpreted && p->dynamic ? debug_of(pid, p) : 0;
	int r = add_object(ret, p->header);

	if (r < 0 || !p->interpreted)
		return r;
	/* A process that has just begun: its loader is at work. */
	if (!debug_address || target_memory_read(pid, debug_address, &debug, sizeof debug) < 0 || !debug.r_map ||
	    debug.r_state != RT_CONSISTENT)
		return -EAGAIN;
	uint64_t at = (uintptr_t)debug.r_map;
	for (size_t i = 0; r == 0 && at && i < OBJECTS_MAX; i++) {
		if (target_memory_read(pid, at, &map, sizeof map) < 0)
			break;
		/* The first is the program. */
		if (i)
			r = add_object(ret, (uintptr_t)map.l_ld);
		at = (uintptr_t)map.l_next;
	}
	return r;
}

/* ---- their functions ---- */

struct search {
	struct address_space *space;
	struct leak_allocator *found;
	bool named[KNOWN]; /* an object before has it */
	/* Of the object at hand. */
	const struct place *place;
	bool has_malloc, take_cpp;
	char path[64];
	int error;
};

static int note_malloc(void *arg, const char *name, uint64_t offset)
{
	struct search *s = arg;

	(void)offset;
	(void)name;
	s->has_malloc = true;
	return 1;
}

static bool is_there(const struct search *s, uint64_t offset)
{
	vec_each(f, &s->found->function)
		if (f->offset == offset && f->inode == s->place->mapping->inode && f->device == s->place->image->device)
			return true;
	return false;
}

/* The same name stands in .symtab and .dynsym, and other names at the same place. */
static int take_function(void *arg, const char *name, uint64_t offset)
{
	struct search *s = arg;
	size_t i = known_at(name), own = i < KNOWN ? KNOWN : prefixed_at(name);
	bool wanted = i < KNOWN ? !s->named[i] && (!known[i].cpp || s->take_cpp) : own < KNOWN;

	if (!wanted || is_there(s, offset))
		return 0;
	i = i < KNOWN ? i : own;
	struct leak_function *f = vec_push(&s->found->function);
	if (!f)
		return -ENOMEM;
	*f = (struct leak_function){ .call = known[i].call, .name = known[i].name, .device = s->place->image->device,
				     .inode = s->place->mapping->inode, .offset = offset };
	memcpy(f->path, s->path, sizeof f->path);
	return 0;
}

static int mark_named(void *arg, const char *name, uint64_t offset)
{
	struct search *s = arg;
	size_t i = known_at(name);

	(void)offset;
	if (i < KNOWN)
		s->named[i] = true;
	return 0;
}

/* Around the functions of the object that has malloc, as they lie in memory. */
static void find_code(struct search *s)
{
	uint64_t low = UINT64_MAX, high = 0;

	vec_each(f, &s->found->function) {
		uint64_t address;

		/* What has names of its own may lie elsewhere: then there is no one piece of code. */
		if (f->inode != s->place->mapping->inode ||
		    elf_image_address_of(s->place->image->elf, f->offset, &address) < 0)
			continue;
		address += s->place->bias;
		low = address < low ? address : low;
		high = address > high ? address : high;
	}
	if (low < high && high - low < CODE_MAX) {
		s->found->code_start = low;
		s->found->code_end = high + LAST_FUNCTION_BYTES;
	}
}

/* By its code, whose mapping stays as it is: the loader makes parts of the data read-only, which splits theirs. */
static void name_file(struct search *s, const struct mapping *in)
{
	vec_each(m, &s->space->map.mapping) {
		if (m->inode == in->inode && m->device_major == in->device_major &&
		    m->device_minor == in->device_minor &&
		    m->flags & MAPPING_EXECUTE) {
			in = m;
			break;
		}
	}
	snprintf(s->path, sizeof s->path, "/proc/%d/map_files/%llx-%llx", s->space->pid, (unsigned long long)in->start,
		 (unsigned long long)in->end);
}

static int search_object(struct search *s, const struct place *place)
{
	struct elf_image *elf = place->image->elf;
	bool first = !s->found->object[0];

	s->place = place;
	s->has_malloc = false;
	int r = user_functions_each(elf, SPAN("malloc"), note_malloc, s);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	/* operator new of an object without malloc would call that: only the allocator's own counts. */
	s->take_cpp = first && s->has_malloc;
	name_file(s, place->mapping);
	r = user_functions_each(elf, SPAN("*"), take_function, s);
	if (r == 0)
		r = user_functions_each(elf, SPAN("*"), mark_named, s);
	if (r == 0 && first && s->has_malloc) {
		span_copy(span_from(place->mapping->name), s->found->object, sizeof s->found->object);
		find_code(s);
	}
	return r;
}

static int search_all(struct search *s, const object_vec *objects)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < objects->n; i++) {
		struct place place;

		if (address_space_find(s->space, objects->v[i], &place) && place.image && place.image->elf)
			r = search_object(s, &place);
	}
	return r;
}

static int no_allocator(const struct program *p, struct note *note)
{
	if (p->interpreted)
		return note_set(note, -ENOENT, "not measurable: none of its objects has a function malloc");
	return note_set(note, -ENOENT, "not measurable: a static program whose symbols were stripped, or whose language "
			"does not allocate by malloc (Go): its allocator cannot be found by name");
}

int leak_allocator_find(struct address_space *a, struct leak_allocator *ret, struct note *note)
{
	struct program program = { 0 };
	struct leak_allocator found = { 0 };
	struct search search = { .space = a, .found = &found };
	object_vec objects = { 0 };
	int r = read_program(a->pid, &program);

	if (r < 0)
		return note_set(note, r, r == -ESRCH ? "there is no process %d" : r == -EPERM || r == -EACCES ?
				"process %d is not ours: needs root" :
				"process %d: its program's headers cannot be read", a->pid);
	found.is_static = !program.interpreted;
	r = list_objects(a->pid, &program, &objects);
	r = r < 0 ? r : search_all(&search, &objects);
	vec_free(&objects);
	if (r == -EAGAIN)
		note_set(note, r, "not measurable: the loader of process %d has not finished its work", a->pid);
	if (r == 0 && !found.object[0])
		r = no_allocator(&program, note);
	if (r < 0) {
		leak_allocator_deinit(&found);
		return r;
	}
	*ret = found;
	return 0;
}

void leak_allocator_deinit(struct leak_allocator *l)
{
	vec_free(&l->function);
}
