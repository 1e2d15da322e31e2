#include "dig/offcpu/offcpu_merge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "source/process/wait_words.h"

int offcpu_rows_init(struct offcpu_rows *r, bool by_thread, bool by_line)
{
	*r = (struct offcpu_rows){ .by_thread = by_thread };
	int e = call_tree_init(&r->waits, CALL_NANOSECONDS);

	if (e < 0)
		return e;
	if ((e = call_tree_init(&r->wakers, CALL_NANOSECONDS)) < 0) {
		call_tree_deinit(&r->waits);
		return e;
	}
	r->waits.by_line = r->wakers.by_line = by_line;
	return 0;
}

void offcpu_rows_deinit(struct offcpu_rows *r)
{
	vec_each(w, &r->wait)
		vec_free(&w->waker);
	vec_free(&r->wait);
	map_deinit(&r->wait_of_node);
	call_tree_deinit(&r->waits);
	call_tree_deinit(&r->wakers);
}

/* ---- what frames say ---- */

static const char *name_of(const struct call_tree *t, const struct offcpu_side *s, size_t i)
{
	return t->frame.v[s->frame[i]].function;
}

static bool starts(const char *name, const char *const *with)
{
	for (; *with; with++)
		if (strncmp(name, *with, strlen(*with)) == 0)
			return true;
	return false;
}

/* Each wait ends in them. */
static bool is_scheduler(const char *name)
{
	static const char *const names[] = { "__schedule", "schedule", "preempt_schedule", "io_schedule", "bpf_", "__bpf_",
					     "__traceiter_", "__traceprobe", NULL };

	return starts(name, names);
}

/* A futex serves many; which it was stands in the C library's functions. So does what a call waits for that a signal has
 * interrupted and restarted: of that the kernel shows no function. NULL: none of these. */
static const char *library_words(const struct call_tree *t, const struct offcpu_side *s)
{
	static const struct {
		const char *part, *words;
	} parts[] = {
		{ "join", "another thread to end" },
		{ "cond_", "a condition: another thread's signal" },
		{ "mutex", "a mutex" },
		{ "lll_lock", "a mutex" },
		{ "rwlock", "a read-write lock" },
		{ "sem_", "a semaphore" },
		{ "barrier", "other threads at a barrier" },
		{ "nanosleep", "time to pass" },
		{ "poll", "events of descriptors" },
	};

	for (size_t i = s->nkernel; i < s->nkernel + s->nuser && i < s->nkernel + 6; i++) {
		const struct call_frame *f = &t->frame.v[s->frame[i]];

		if (strncmp(f->module, "libc", 4) != 0 && strncmp(f->module, "libpthread", 10) != 0 && strncmp(f->module, "ld-", 3) != 0)
			break;
		for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++)
			if (strstr(f->function, parts[k].part))
				return parts[k].words;
	}
	return NULL;
}

/* The innermost function that has words; those of the scheduler only when no other has. */
static const char *words_of(const struct call_tree *t, const struct offcpu_side *s)
{
	const char *words = NULL;

	for (size_t i = 0; i < s->nkernel && !words; i++)
		if (!is_scheduler(name_of(t, s, i)))
			words = wchan_words(name_of(t, s, i));
	if (words && strcmp(words, "a lock, or another thread") == 0) {
		const char *exactly = library_words(t, s);
		return exactly ? exactly : words;
	}
	for (size_t i = 0; i < s->nkernel && !words; i++)
		words = wchan_words(name_of(t, s, i));
	return words ? words : library_words(t, s);
}

/* "__x64_sys_fsync", from outside: "fsync". */
static const char *call_of(const struct call_tree *t, const struct offcpu_side *s)
{
	static const char *const prefixes[] = { "__x64_sys_", "__ia32_sys_", "__arm64_sys_", "__do_sys_", "__se_sys_", "ksys_" };

	for (size_t i = s->nkernel; i > 0; i--) {
		const char *name = name_of(t, s, i - 1);

		for (size_t k = 0; k < sizeof prefixes / sizeof prefixes[0]; k++)
			if (strncmp(name, prefixes[k], strlen(prefixes[k])) == 0)
				return name + strlen(prefixes[k]);
		if (strstr(name, "exc_page_fault") || strcmp(name, "do_page_fault") == 0)
			return "page fault";
	}
	return NULL;
}

static bool is_by_trade(const char *words, char state)
{
	static const char *const trades[] = {
		"events of descriptors", "time to pass", "work", "RCU work", "a connection", "a child to end", "another thread to end", "a signal",
		"input of its terminal", "memory to run short", "memory to be compacted", "a timer",
		"a change of a file", "asynchronous I/O (io_uring)", "SIGCONT",
	};

	for (size_t i = 0; words && i < sizeof trades / sizeof trades[0]; i++)
		if (strcmp(words, trades[i]) == 0)
			return true;
	return state == 'I' || state == 'T';
}

/* ---- a waker's frames ---- */

static bool is_interrupt_entry(const char *name)
{
	static const char *const names[] = { "asm_common_interrupt", "asm_sysvec_", "common_interrupt", "sysvec_", "el1h_64_irq",
					     "el0t_64_irq", "el1_interrupt", "el0_interrupt", "gic_handle_irq", "__sysvec_", NULL };

	return starts(name, names);
}

static const char *device_of(const struct call_tree *t, const struct offcpu_side *s)
{
	static const struct {
		const char *part, *device;
	} parts[] = {
		{ "blk_mq_", "a disk" }, { "blk_", "a disk" }, { "bio_endio", "a disk" }, { "nvme", "a disk" },
		{ "scsi_", "a disk" }, { "virtblk", "a disk" }, { "net_rx_action", "the network" }, { "napi", "the network" },
		{ "hrtimer", "a timer" }, { "run_timer", "a timer" }, { "call_timer_fn", "a timer" }, { "rcu_", "RCU" },
		{ "flush_smp_call_function", "another CPU" }, { "call_function", "another CPU" }, { "tty_", "a terminal" },
		{ "irq_work", "a deferred wakeup" }, { "apic_timer", "a timer" },
	};

	for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++)
		for (size_t i = 0; i < s->nkernel; i++)
			if (strstr(name_of(t, s, i), parts[k].part))
				return parts[k].device;
	return "an interrupt";
}

/* From try_to_wake_up outwards is the waker's; inside of it stands the tracepoint, and who looked by it. Of an interrupt, up
 * to its entry. */
static struct offcpu_side trim_waker(const struct call_tree *t, const struct offcpu_side *s, bool *ret_interrupt)
{
	struct offcpu_side kept = *s;
	size_t from = 0;

	for (size_t i = 0; i < s->nkernel; i++)
		if (strcmp(name_of(t, s, i), "try_to_wake_up") == 0 || strncmp(name_of(t, s, i), "ttwu_", 5) == 0)
			from = i + 1;
	if (from == 0) /* inlined into who called it */
		while (from < s->nkernel && is_scheduler(name_of(t, s, from)))
			from++;
	*ret_interrupt = s->pid == 0;
	size_t to = s->nkernel;
	for (size_t i = from; i < to; i++)
		if (is_interrupt_entry(name_of(t, s, i))) {
			*ret_interrupt = true;
			to = i;
		}
	kept.frame += from;
	kept.nkernel = to - from;
	/* The frames of user space follow: they are cut with the rest of the kernel's. */
	if (*ret_interrupt)
		kept.nuser = 0;
	return kept;
}

static struct offcpu_side trim_wait(const struct call_tree *t, const struct offcpu_side *s)
{
	struct offcpu_side kept = *s;

	/* One is left: a stack of nothing says less. */
	while (kept.nkernel > 1 && is_scheduler(name_of(t, &kept, 0))) {
		kept.frame++;
		kept.nkernel--;
	}
	return kept;
}

/* ---- adding ---- */

static int push_group(struct call_tree *t, const char *module, const char *name, uint32_t number, uint32_t *ret)
{
	char text[64];

	snprintf(text, sizeof text, number ? "%s [%u]" : "%s", name, number);
	return call_tree_frame(t, &(struct call_frame){ .function = text, .module = module, .kind = CALL_GROUP }, ret);
}

/* Groups, then the frames from outside to inside. */
static int add_stack(struct call_tree *t, const struct offcpu_side *s, bool by_thread, const char *group, uint64_t weight,
		     uint32_t *ret_node)
{
	call_stack stack = { 0 };
	size_t n = s->nkernel + s->nuser, ngroups = group ? 1 : by_thread ? 2 : 1;
	int r = vec_reserve(&stack, n + 2);

	if (r == 0)
		r = group ? push_group(t, "interrupt", group, 0, &stack.v[0]) :
			    push_group(t, "process", s->process, s->pid, &stack.v[0]);
	if (r == 0 && ngroups == 2)
		r = push_group(t, "thread", s->comm, s->tid, &stack.v[1]);
	for (size_t i = 0; r == 0 && i < n; i++)
		stack.v[ngroups + i] = s->frame[n - 1 - i];
	if (r == 0)
		r = call_tree_add(t, stack.v, ngroups + n, weight, ret_node);
	vec_free(&stack);
	return r;
}

static int find_wait(struct offcpu_rows *r, uint32_t node, const struct offcpu_side *s, struct offcpu_wait **ret)
{
	uint64_t key = (uint64_t)(uint8_t)s->state << 32 | node;
	uint32_t known = map_get(&r->wait_of_node, key);

	if (known == MAP_NONE) {
		struct offcpu_wait *w = vec_push(&r->wait);

		if (!w)
			return -ENOMEM;
		known = (uint32_t)(r->wait.n - 1);
		if (map_set(&r->wait_of_node, key, known) < 0) {
			r->wait.n--;
			return -ENOMEM;
		}
		*w = (struct offcpu_wait){
			.node = node, .pid = s->pid, .tid = s->tid, .state = s->state, .kernel_thread = s->kernel_thread,
			.words = words_of(&r->waits, s), .call = call_of(&r->waits, s),
		};
		w->by_trade = is_by_trade(w->words, w->state);
		snprintf(w->process, sizeof w->process, "%s", s->process);
		snprintf(w->comm, sizeof w->comm, "%s", s->comm);
	}
	*ret = &r->wait.v[known];
	return 0;
}

/* Interrupts of a kind of device are one, whose stack is the first that was met. */
static int find_waker(struct offcpu_wait *w, enum offcpu_waker_kind kind, uint32_t node, const char *device,
		      struct offcpu_waker **ret)
{
	vec_each(k, &w->waker)
		if (k->kind == kind && (k->node == node || (device && k->device == device))) {
			*ret = k;
			return 0;
		}
	*ret = vec_push(&w->waker);
	if (!*ret)
		return -ENOMEM;
	(*ret)->kind = kind;
	(*ret)->node = node;
	return 0;
}

static int add_waker(struct offcpu_rows *r, struct offcpu_wait *w, enum offcpu_waker_kind kind, const struct offcpu_side *waker,
		     const struct offcpu_sum *sum)
{
	struct offcpu_waker *k = NULL;
	const char *device = NULL;
	uint32_t node = CALL_NONE;
	bool interrupt = false;
	int e = 0;

	if (kind == OFFCPU_BY_TASK) {
		struct offcpu_side kept = trim_waker(&r->wakers, waker, &interrupt);

		kind = interrupt ? OFFCPU_BY_INTERRUPT : OFFCPU_BY_TASK;
		device = interrupt ? device_of(&r->wakers, &kept) : NULL;
		e = add_stack(&r->wakers, &kept, r->by_thread, device, sum->total_ns, &node);
	}
	if (e == 0)
		e = find_waker(w, kind, node, device, &k);
	if (e < 0 || !k)
		return e;
	if (kind == OFFCPU_BY_TASK && k->count == 0) {
		k->pid = r->by_thread ? waker->tid : waker->pid;
		snprintf(k->process, sizeof k->process, "%s", r->by_thread ? waker->comm : waker->process);
	}
	k->device = device;
	k->total_ns += sum->total_ns;
	k->count += sum->count;
	return 0;
}

int offcpu_rows_add(struct offcpu_rows *r, const struct offcpu_side *wait, enum offcpu_waker_kind kind,
		    const struct offcpu_side *waker, const struct offcpu_sum *sum)
{
	struct offcpu_side kept = trim_wait(&r->waits, wait);
	struct offcpu_wait *w = NULL;
	uint32_t node;
	int e = add_stack(&r->waits, &kept, r->by_thread, NULL, sum->total_ns, &node);

	/* The words need what was taken off: schedule_timeout says that it is time. */
	if (e == 0)
		e = find_wait(r, node, wait, &w);
	if (e < 0 || !w)
		return e;
	w->total_ns += sum->total_ns;
	w->queued_ns += sum->queued_ns;
	w->count += sum->count;
	w->max_ns = sum->max_ns > w->max_ns ? sum->max_ns : w->max_ns;
	if (kind == OFFCPU_BY_NOBODY)
		w->still += sum->count;
	return add_waker(r, w, kind, waker, sum);
}

/* ---- order ---- */

static int compare_waits(const void *left, const void *right)
{
	const struct offcpu_wait *a = left, *b = right;

	if (a->by_trade != b->by_trade)
		return a->by_trade ? 1 : -1;
	if (a->total_ns != b->total_ns)
		return a->total_ns < b->total_ns ? 1 : -1;
	return a->node < b->node ? -1 : a->node > b->node;
}

static int compare_wakers(const void *left, const void *right)
{
	const struct offcpu_waker *a = left, *b = right;

	if (a->total_ns != b->total_ns)
		return a->total_ns < b->total_ns ? 1 : -1;
	return a->node < b->node ? -1 : a->node > b->node;
}

/* Of a crowd most wait for what somebody may send or not. */
static bool waits_for_data(const struct offcpu_wait *w)
{
	return w->words && w->state == 'S' &&
	       (strncmp(w->words, "data ", 5) == 0 || strstr(w->words, "socket") || strstr(w->words, "datagram"));
}

int offcpu_rows_sort(struct offcpu_rows *r, bool crowd)
{
	int e = call_tree_sum(&r->waits);

	vec_each(w, &r->wait)
		if (crowd && w->still == w->count && waits_for_data(w))
			w->by_trade = true;
	if (e == 0)
		e = call_tree_sum(&r->wakers);
	if (e < 0)
		return e;
	vec_each(w, &r->wait)
		if (w->waker.n)
			qsort(w->waker.v, w->waker.n, sizeof w->waker.v[0], compare_wakers);
	if (r->wait.n)
		qsort(r->wait.v, r->wait.n, sizeof r->wait.v[0], compare_waits);
	map_clear(&r->wait_of_node);
	return 0;
}

struct offcpu_total offcpu_rows_total(const struct offcpu_rows *r, bool by_trade)
{
	struct offcpu_total t = { 0 };

	vec_each(w, &r->wait)
		if (w->by_trade == by_trade) {
			t.total_ns += w->total_ns;
			t.queued_ns += w->queued_ns;
			t.count += w->count;
		}
	return t;
}
