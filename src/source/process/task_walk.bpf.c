/* The iterator of task.bpf.c, and beside it a walk along the kernel's list of tasks: for who looks every
 * second. The iterator finds each task by its number, through the table of pids, and takes a reference: half
 * of its time. The walk writes only tasks that have run since the last look into a map, and marks those that
 * slept by their pulse. Of a sleeping one it looks at nothing else, not even its memory, but every 32nd time.
 * Needs: 6.7 (bpf_iter_task_new), reader in the first pid namespace.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#define TASK_WALK
#define BPF_F_MMAPABLE 1024
#include "source/process/task.bpf.c"

struct bpf_iter_task {
	__u64 opaque[3];
} __attribute__((aligned(8)));

enum { ALL_THREADS = 1 }; /* BPF_TASK_ITER_ALL_THREADS */

extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task, unsigned flags) __weak __ksym;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __weak __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __weak __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TASK_WALK_MOST);
	__type(key, __u32);
	__type(value, struct task_record);
} changed SEC(".maps");

unsigned changed_count; /* records in `changed` */
unsigned walk_state;	/* 1: whole; 2: more tasks have changed than there is room for; 3: cannot be done here */

/* False: no room. */
static __always_inline bool write_changed(struct task_struct *t, struct mm_struct *mm, char state, struct task_pulse *pulse,
					  __u64 beats)
{
	__u32 at = changed_count;
	struct task_record *slot = bpf_map_lookup_elem(&changed, &at);

	if (!slot)
		return false;
	bool filled = fill_task(t, mm, t->pid, state);
	if (filled) {
		bpf_probe_read_kernel(slot, sizeof *slot, &record);
		changed_count = at + 1;
	}
	keep_pulse(pulse, t, beats, filled && lasts(&record.task));
	return true;
}

static __always_inline bool visit(struct task_struct *t)
{
	__u32 at = (__u32)t->pid % TASK_PULSES;
	struct task_pulse *pulse = bpf_map_lookup_elem(&pulses, &at);

	if (!pulse || t->pid == 0)
		return true;
	char state = state_char(compat_task_state(t), t->exit_state);
	__u64 beats = beats_of(t);
	if (rests(t, pulse, beats, state)) {
		pulse->look = look;
		return true;
	}
	return write_changed(t, t->mm, state, pulse, beats);
}

/* Not in the program proper, for the reason given in task.bpf.c. */
static __noinline int walk(struct bpf_iter__task *ctx)
{
	struct bpf_iter_task it;
	struct task_struct *t;

	if (!ctx->task)
		return 0;
	find_reader();
	groups.unified = NULL;
	changed_count = 0;
	walking = true;
	walk_state = reader_level == 0 ? 1 : 3;
	if (reader_level != 0)
		return 0;
	bpf_iter_task_new(&it, NULL, ALL_THREADS);
	while ((t = bpf_iter_task_next(&it)))
		if (!visit(t)) {
			walk_state = 2;
			break;
		}
	bpf_iter_task_destroy(&it);
	return 0;
}

/* Attached to one task, so that it runs once a look. */
SEC("iter/task")
int walk_tasks(struct bpf_iter__task *ctx)
{
	return walk(ctx);
}
