#include "dig/leak/leak_watch.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/map.h"
#include "dig/leak/leak_attach.h"
#include "dig/leak/leak_watch.bpf.h"
#include "kernel/bpf_load.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include "dig/leak/leak_watch.skel.h"
#pragma GCC diagnostic pop

#define FIRST_PID_NAMESPACE 0xeffffffcu /* PROC_PID_INIT_INO */
#define FRAMES_MAX 256
#define ADAPT_NS (250 * NS_PER_MS)
#define LOOK_NS (NS_PER_S / 2)
#define LOADER_LOOKS 50
#define TRAPS 200
#define LOADER_LOOKS_NS (20 * NS_PER_MS)
#define WARM_UP_NS (50 * NS_PER_MS)

struct leak_inside {
	/* The full skeleton alone: the kind of attachment is set before it is loaded. No types of the kernel
	 * are read, so libbpf need not read them either. */
	struct leak_watch_full *bpf;
	fd_vec links;
	struct ring_buffer *ring;
	int pidfd;
	uint64_t program; /* tells it from another that was exec'ed */
	struct map by_block;
	bool fixed_mean;
	struct leak_counts before; /* counts until the start */
	double wanted_per_s;
	uint64_t adapted_ns, looked_ns;
	size_t samples_then;
	int error; /* of on_record */
	uint64_t refreshed_ns;
	struct unwind_frame frames[FRAMES_MAX];
};

/* ---- the target ---- */

/* The auxiliary vector holds addresses that each exec draws anew. 0: cannot be read. */
static uint64_t program_of(int pid)
{
	char path[40], bytes[1024];

	snprintf(path, sizeof path, "/proc/%d/auxv", pid);
	cleanup(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
	return n > 0 ? map_hash(bytes, (size_t)n) : 0;
}

static void look_at_target(struct leak_watch *w)
{
	struct leak_inside *in = w->inside;
	struct pollfd p = { .fd = in->pidfd, .events = POLLIN };

	if (in->pidfd >= 0 ? poll(&p, 1, 0) > 0 : kill(w->pid, 0) < 0 && errno == ESRCH)
		w->end = LEAK_EXITED;
	uint64_t now = clock_mono_ns();
	if (w->end != LEAK_GOES_ON || now < in->looked_ns + LOOK_NS)
		return;
	in->looked_ns = now;
	uint64_t program = program_of(w->pid);
	if (program && in->program && program != in->program)
		w->end = LEAK_EXECED;
}

static void read_comm(struct leak_watch *w)
{
	char path[40], bytes[sizeof w->comm];

	snprintf(path, sizeof path, "/proc/%d/comm", w->pid);
	cleanup(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
	if (n > 0)
		span_copy(span_trim((struct span){ bytes, (size_t)n }), w->comm, sizeof w->comm);
}

/* ---- samples ---- */

static uint64_t block_key(uint64_t address, uint64_t mono_ns)
{
	const uint64_t both[] = { address, mono_ns };

	return map_hash(both, sizeof both);
}

static int read_copied(void *arg, uint64_t address, void *to, size_t n)
{
	const struct leak_record *r = arg;
	uint64_t sp = r->registers[UNWIND_RSP], held = r->stack_end - r->stack_skip;

	if (address < sp || address - sp > held || n > held - (address - sp))
		return -EFAULT;
	memcpy(to, r->stack + r->stack_skip + (address - sp), n);
	return 0;
}

static size_t unwind(struct leak_watch *w, const struct leak_record *r, enum unwind_end *ret_end)
{
	struct unwind_memory memory = { read_copied, (void *)(uintptr_t)r };
	struct unwind_registers from = { .known = (1u << LEAK_REGISTERS) - 1 };

	_Static_assert(sizeof r->registers <= sizeof from.value, "registers by DWARF number");
	memcpy(from.value, r->registers, sizeof r->registers);
	size_t n = unwind_walk(w->space, &from, &memory, w->inside->frames, FRAMES_MAX, ret_end);
	/* Where the allocator returns to. */
	w->inside->frames[0].exact = false;
	return n;
}

/* A library that came later is in no mapping yet. */
static bool refresh(struct leak_watch *w)
{
	uint64_t now = clock_mono_ns();

	if (now < w->inside->refreshed_ns + 100 * NS_PER_MS)
		return false;
	w->inside->refreshed_ns = now;
	return address_space_refresh(w->space) == 0;
}

static int keep_sample(struct leak_watch *w, const struct leak_record *r)
{
	enum unwind_end end;
	uint32_t site;
	size_t n = unwind(w, r, &end);

	if ((end == UNWIND_OUTSIDE || end == UNWIND_NO_RULE) && refresh(w))
		n = unwind(w, r, &end);
	w->counts.no_stack += n < 2;
	int e = leak_site_of(&w->sites, w->inside->frames, n, end, &site);
	if (e < 0)
		return e;
	e = map_set(&w->inside->by_block, block_key(r->address, r->mono_ns), (uint32_t)w->samples.n);
	struct leak_sample *s = e < 0 ? NULL : vec_push(&w->samples);
	if (!s)
		return -ENOMEM;
	*s = (struct leak_sample){ r->mono_ns, r->address, r->bytes, r->mean_bytes, site, false };
	return 0;
}

static int on_record(void *arg, void *data, size_t size)
{
	struct leak_watch *w = arg;
	const struct leak_record *r = data;

	if (size < sizeof *r || r->stack_end > sizeof r->stack || r->stack_skip > LEAK_PAGE ||
	    r->stack_skip > r->stack_end)
		return 0;
	if (w->inside->error == 0)
		w->inside->error = keep_sample(w, r);
	return 0;
}

static int drain(struct leak_watch *w)
{
	(void)ring_buffer__consume(w->inside->ring);
	return w->inside->error;
}

/* ---- loading ---- */

static void set_scope(struct leak_watch *w)
{
	struct leak_watch_full__rodata *ro = w->inside->bpf->rodata;
	struct stat ours;

	ro->session = w->session;
	ro->wanted_pid = (uint32_t)w->pid;
	ro->own_code_start = w->allocator.code_start;
	ro->own_code_end = w->allocator.code_end;
	if (stat("/proc/self/ns/pid", &ours) == 0 && ours.st_ino != FIRST_PID_NAMESPACE) {
		ro->namespace_device = ours.st_dev;
		ro->namespace_inode = ours.st_ino;
	}
}

static struct bpf_program *entry_of(const struct leak_watch_full *s, enum leak_call call)
{
	switch (call) {
	case LEAK_FIRST: return s->progs.leak_first;
	case LEAK_SECOND: return s->progs.leak_second;
	case LEAK_PRODUCT: return s->progs.leak_product;
	case LEAK_THROUGH: return s->progs.leak_through;
	case LEAK_AGAIN: return s->progs.leak_again;
	default: return s->progs.leak_free;
	}
}

static int load(struct leak_watch *w)
{
	struct leak_inside *in = w->inside;

	in->bpf = leak_watch_full__open();
	if (!in->bpf)
		return -errno;
	set_scope(w);
	for (size_t i = 0; w->session && i < LEAK_CALLS; i++)
		(void)bpf_program__set_expected_attach_type(entry_of(in->bpf, (enum leak_call)i),
							     (enum bpf_attach_type)LEAK_UPROBE_SESSION);
	/* Nothing is sampled until all probes are there. */
	in->bpf->bss->mean_bytes = LEAK_MEAN_MAX;
	int r = leak_watch_full__load(in->bpf);
	if (r < 0)
		return r;
	in->ring = ring_buffer__new(bpf_map__fd(in->bpf->maps.records), on_record, w, NULL);
	return in->ring ? 0 : -errno;
}

static __attribute__((noinline)) void trapped(void)
{
	__asm__ volatile("" ::: "memory");
}

/* What a probe costs on this machine just now, by one at a function of ours: between 0.5 us and, in a busy
 * virtual machine, 15 us were seen. 0: not known. */
static uint64_t measure_trap(const struct leak_programs *programs)
{
	struct leak_function f = { .call = LEAK_FREE, .name = "trapped", .path = "/proc/self/exe" };
	const struct leak_allocator own = { .function = { &f, 1, 1 } };
	struct memory_map map = { 0 };
	fd_vec links = { 0 };
	uint64_t ns = 0;

	if (memory_map_read(getpid(), &map) < 0)
		return 0;
	const struct mapping *m = memory_map_find(&map, (uintptr_t)trapped);
	if (m) {
		f.offset = (uintptr_t)trapped - m->start + m->offset;
		if (leak_attach(programs, &own, getpid(), &links, NULL) == 0) {
			uint64_t began_ns = clock_thread_cpu_ns();
			for (unsigned i = 0; i < TRAPS; i++)
				trapped();
			ns = (clock_thread_cpu_ns() - began_ns) / TRAPS;
		}
	}
	vec_each(fd, &links)
		close(*fd);
	vec_free(&links);
	memory_map_deinit(&map);
	return ns;
}

static int attach(struct leak_watch *w, struct note *note)
{
	struct leak_inside *in = w->inside;
	struct leak_programs programs = { .at_return = bpf_program__fd(in->bpf->progs.leak_return),
					  .session = w->session };

	for (size_t i = 0; i < LEAK_CALLS; i++)
		programs.entry[i] = bpf_program__fd(entry_of(in->bpf, (enum leak_call)i));
	w->trap_ns = measure_trap(&programs);
	return leak_attach(&programs, &w->allocator, w->pid, &in->links, note);
}

static int count(const struct leak_watch *w, struct leak_counts *ret)
{
	int ncpus = libbpf_num_possible_cpus();
	struct leak_turn *turns = ncpus > 0 ? calloc((size_t)ncpus, sizeof *turns) : NULL;
	uint32_t zero = 0;
	struct leak_counts sum = { 0 }, *c = &sum;

	if (!turns)
		return -ENOMEM;
	int r = bpf_map_lookup_elem(bpf_map__fd(w->inside->bpf->maps.turns), &zero, turns) < 0 ? -errno : 0;
	for (int i = 0; r == 0 && i < ncpus; i++) {
		c->allocations += turns[i].allocations;
		c->allocated_bytes += turns[i].allocated_bytes;
		c->frees += turns[i].frees;
		c->samples += turns[i].samples;
		c->ring_full += turns[i].ring_full;
		c->table_full += turns[i].table_full;
	}
	free(turns);
	if (r == 0)
		*ret = sum;
	return r;
}

/* How much it allocates, told by a short time without samples, gives the mean to start with. */
static int start(struct leak_watch *w, const struct leak_options *o)
{
	struct leak_inside *in = w->inside;
	struct leak_counts before, after;
	uint64_t mean = o->mean_bytes, began_ns = clock_mono_ns();

	in->fixed_mean = mean != 0;
	int r = count(w, &before);
	/* A signal that ends it is seen by the caller. */
	(void)!clock_sleep_until(began_ns + WARM_UP_NS);
	r = r < 0 ? r : count(w, &after);
	if (r < 0)
		return r;
	if (!mean)
		mean = leak_mean_first(after.allocations - before.allocations,
				       after.allocated_bytes - before.allocated_bytes,
				       (double)(clock_mono_ns() - began_ns) / 1e9, in->wanted_per_s);
	in->before = after;
	w->mean_bytes = mean;
	w->start_ns = in->adapted_ns = in->looked_ns = clock_mono_ns();
	in->bpf->bss->mean_bytes = mean;
	return 0;
}

/* A loader that is at work has a moment to finish. */
static int find_allocator(struct leak_watch *w, struct note *note)
{
	int r = leak_allocator_find(w->space, &w->allocator, note);

	for (unsigned i = 0; r == -EAGAIN && i < LOADER_LOOKS; i++) {
		(void)!clock_sleep_until(clock_mono_ns() + LOADER_LOOKS_NS);
		r = address_space_refresh(w->space);
		r = r < 0 ? r : leak_allocator_find(w->space, &w->allocator, note);
	}
	if (r < 0)
		return r;
	/* Only now is it known that the loader was done: mappings that were read before may have been halfway. */
	leak_allocator_deinit(&w->allocator);
	w->allocator = (struct leak_allocator){ 0 };
	r = address_space_refresh(w->space);
	return r < 0 ? r : leak_allocator_find(w->space, &w->allocator, note);
}

static int prepare(struct leak_watch *w, struct image_store *store, const struct leak_options *o, struct note *note)
{
	int r = address_space_of_process(store, w->pid, &w->space, note);

	if (r < 0)
		return r;
	if (w->space->map.mapping.n == 0)
		return note_set(note, -ENODATA, "process %d has no memory of its own: it is a kernel thread, or has ended "
				"and waits for its parent", w->pid);
	r = find_allocator(w, note);
	if (r < 0)
		return r;
	w->session = !o->no_session && leak_session_there();
	r = load(w);
	if (r < 0)
		return note_set(note, r, "not measurable: needs Linux 5.8 and root: probes of allocations: %s",
				strerror(-r));
	r = attach(w, note);
	if (r < 0)
		return r;
	return start(w, o);
}

int leak_watch_new(struct host *h, struct image_store *store, int pid, const struct leak_options *options,
		   struct leak_watch **ret, struct note *note)
{
#ifndef __x86_64__
	return note_set(note, -EOPNOTSUPP, "not measurable: this machine's stacks are not read yet (x86-64 alone)");
#endif
	struct note why = { "" };
	int r = bpf_usable(h, &why);

	if (r < 0)
		return note_set(note, r, "not measurable: %s", why.text);
	struct leak_watch *w = calloc(1, sizeof *w);
	struct leak_inside *in = calloc(1, sizeof *in);
	if (!w || !in) {
		free(w);
		free(in);
		return note_set(note, -ENOMEM, "out of memory");
	}
	double seconds = (double)options->for_ns / 1e9;
	w->inside = in;
	w->pid = pid;
	in->wanted_per_s = seconds > 0 && LEAK_SAMPLES_MAX / seconds < LEAK_SAMPLES_PER_S ? LEAK_SAMPLES_MAX / seconds :
											    LEAK_SAMPLES_PER_S;
	in->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	in->program = program_of(pid);
	read_comm(w);
	r = prepare(w, store, options, note);
	if (r < 0) {
		leak_watch_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

/* ---- as it goes ---- */

static void adapt(struct leak_watch *w)
{
	struct leak_inside *in = w->inside;
	uint64_t now = clock_mono_ns();

	w->mean_bytes = in->bpf->bss->mean_bytes;
	if (in->fixed_mean || now < in->adapted_ns + ADAPT_NS)
		return;
	w->mean_bytes = leak_mean_adapt(w->mean_bytes, w->samples.n - in->samples_then,
					(double)(now - in->adapted_ns) / 1e9,
					in->wanted_per_s);
	in->bpf->bss->mean_bytes = w->mean_bytes;
	in->adapted_ns = now;
	in->samples_then = w->samples.n;
}

int leak_watch_step(struct leak_watch *w)
{
	int r = drain(w);

	if (r < 0)
		return r;
	adapt(w);
	look_at_target(w);
	return 0;
}

/* ---- the end ---- */

static void detach(struct leak_watch *w)
{
	vec_each(fd, &w->inside->links)
		close(*fd);
	w->inside->links.n = 0;
}

static void count_missed(struct leak_watch *w)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, w->inside->bpf->obj) {
		struct bpf_prog_info info = { 0 };
		uint32_t size = sizeof info;

		if (bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &size) == 0)
			w->counts.missed += info.recursion_misses;
	}
}

static void mark_live(struct leak_watch *w)
{
	int live = bpf_map__fd(w->inside->bpf->maps.live);
	uint64_t address, previous, *from = NULL;
	struct leak_block block;

	while (bpf_map_get_next_key(live, from, &address) == 0) {
		if (bpf_map_lookup_elem(live, &address, &block) == 0) {
			uint32_t at = map_get(&w->inside->by_block, block_key(address, block.mono_ns));
			if (at != MAP_NONE)
				w->samples.v[at].live = true;
		}
		previous = address;
		from = &previous;
	}
}

int leak_watch_end(struct leak_watch *w)
{
	struct leak_counts now;

	w->inside->bpf->bss->over = true;
	w->end_ns = clock_mono_ns();
	detach(w);
	int r = drain(w);
	if (r == 0)
		r = count(w, &now);
	if (r < 0)
		return r;
	w->counts.allocations = now.allocations - w->inside->before.allocations;
	w->counts.allocated_bytes = now.allocated_bytes - w->inside->before.allocated_bytes;
	w->counts.frees = now.frees - w->inside->before.frees;
	w->counts.samples = now.samples;
	w->counts.ring_full = now.ring_full;
	w->counts.table_full = now.table_full;
	count_missed(w);
	mark_live(w);
	return 0;
}

void leak_watch_free(struct leak_watch *w)
{
	if (!w)
		return;
	struct leak_inside *in = w->inside;
	detach(w);
	vec_free(&in->links);
	ring_buffer__free(in->ring);
	if (in->bpf)
		leak_watch_full__destroy(in->bpf);
	if (in->pidfd >= 0)
		close(in->pidfd);
	map_deinit(&in->by_block);
	free(in);
	leak_sites_deinit(&w->sites);
	vec_free(&w->samples);
	leak_allocator_deinit(&w->allocator);
	address_space_free(w->space);
	free(w);
}
