/* Iterator over all tasks: one struct task_record each, or a struct task_rest for one that
 * has slept since the last look.
 * Needs: 5.8, BTF. What a kernel lacks is READING_ABSENT.
 * Reads only; takes no lock, so members of one record may be some ns apart.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "kernel/types.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel/compat.bpf.h"
#include "source/process/task_iter.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define ABSENT (~0ull) /* READING_ABSENT */

#define KERNEL_THREAD_FLAG 0x00200000 /* PF_KTHREAD */
#define DEFAULT_PRIO 120
#define LIMIT_NOFILE 7
#define WORDS_AT_ONCE 8
#define CHUNK_WORDS 64
#define ROW_CHUNKS 16
#define MAX_ROWS 16 /* 1048576 descriptors */

enum { MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES };

const volatile unsigned page_shift = 12;

/* Counted by the reader. A look that it does not finish makes it skip one number: then
 * every task is written whole. */
unsigned look;
/* By task_walk.bpf.c; constant elsewhere, to spare the verifier a branch. */
#ifdef TASK_WALK
static bool walking;
#else
#define walking false
#endif

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
#ifdef TASK_WALK
	__uint(map_flags, BPF_F_MMAPABLE);
#endif
	__uint(max_entries, TASK_PULSES);
	__type(key, __u32);
	__type(value, struct task_pulse);
} pulses SEC(".maps");

/* For each load of a pointer from a trusted one, the verifier of 6.x searches all of the
 * kernel's types by name, on each path that comes by (0.5 ms a time). So the few that are
 * followed often are loaded first, before the paths part; the rest is read by helper. */
struct task_parts {
	struct signal_struct *signal;
	struct mm_struct *mm;
	struct files_struct *files;
	const struct cred *cred;
};

#define pointer(of)                                         \
	({                                                  \
		__typeof__(of) pointer_ = (of);             \
		barrier_var(pointer_); /* here, not later */ \
		pointer_;                                   \
	})

/* Nearly all the time goes to waiting for memory: a task's data lie in some thirty cache
 * lines that nobody has used for a while. Touched together, before anything depends on
 * them, they are waited for together. */
#define touch(of)                       \
	do {                            \
		__u64 touched_ = (of);  \
		barrier_var(touched_);  \
	} while (0)

/* A loaded iterator belongs to one reader, so one record is enough. */
static struct task_record record;
static __u64 chunk[CHUNK_WORDS];

static __always_inline __u32 bits_set(__u64 v)
{
	v -= v >> 1 & 0x5555555555555555ull;
	v = (v & 0x3333333333333333ull) + (v >> 2 & 0x3333333333333333ull);
	v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return v * 0x0101010101010101ull >> 56;
}

/* The open descriptors of up to 1048576 are counted by functions that call each other, each with a
 * short loop: global, so that the verifier walks each once and not for each of its calls. */
__noinline int count_words(__u32 from, __u32 words)
{
	__u32 n = 0;

	for (__u32 i = 0; i < WORDS_AT_ONCE; i++) {
		__u32 at = from + i;

		if (at >= words)
			break;
		at &= CHUNK_WORDS - 1;
		barrier_var(at); /* or clang bounds one register and uses another */
		n += bits_set(chunk[at]);
	}
	return n;
}

__noinline int count_chunk(__u64 address, __u64 words)
{
	__u32 n = 0;

	if (words > CHUNK_WORDS)
		words = CHUNK_WORDS;
	barrier_var(words);
	if (bpf_probe_read_kernel(chunk, words * sizeof chunk[0], (const void *)address))
		return 0;
	for (__u32 from = 0; from < CHUNK_WORDS; from += WORDS_AT_ONCE) {
		if (from >= words)
			break;
		n += count_words(from, words);
	}
	return n;
}

__noinline int count_row(__u64 address, __u64 words)
{
	__u32 n = 0;

	for (int i = 0; i < ROW_CHUNKS; i++) {
		n += count_chunk(address, words);
		if (words <= CHUNK_WORDS)
			break;
		words -= CHUNK_WORDS;
		address += sizeof chunk;
	}
	return n;
}

static __always_inline __u64 count_fds(struct files_struct *files)
{
	struct fdtable *table = files->fdt;
	__u64 address = (__u64)BPF_CORE_READ(table, open_fds);
	__u64 words = table->max_fds / 64;
	__u64 n = 0;

	for (int i = 0; i < MAX_ROWS; i++) {
		n += count_row(address, words);
		if (words <= CHUNK_WORDS * ROW_CHUNKS)
			return n;
		words -= CHUNK_WORDS * ROW_CHUNKS;
		address += sizeof chunk * ROW_CHUNKS;
	}
	return n;
}

/* As task_state_index() and task_state_to_char() of the kernel: the highest bit of what
 * is reported. Global: see count_words. */
__noinline int state_char(__u32 state, __u32 exit_state)
{
	__u32 reported = (state | exit_state) & 0x7f;

	if ((state & 0x402) == 0x402) /* TASK_IDLE */
		return 'I';
	if (state & 0x9000) /* waiting for an RT lock; frozen (6.1+) */
		return 'D';
	reported |= reported >> 1;
	reported |= reported >> 2;
	reported |= reported >> 4;
	return 0x505a587454445352ull /* "RSDTtXZP" */ >> bits_set(reported) * 8 & 0xff;
}

/* Who looks: found at the first task of each look. */
static unsigned reader_level;
static struct pid_namespace *reader_namespace;

static __always_inline struct upid *number_of(struct pid *pid, unsigned level)
{
	return (void *)pid + bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid);
}

static __always_inline void find_reader(void)
{
	struct task_struct *reader = (void *)bpf_get_current_task();
	struct pid *pid = BPF_CORE_READ(reader, thread_pid);

	reader_level = BPF_CORE_READ(pid, level);
	reader_namespace = BPF_CORE_READ(number_of(pid, reader_level), ns);
}

/* The number of a pid in the namespace of the reader; 0: it has none there. */
static __always_inline int number_here(struct pid *pid)
{
	if (BPF_CORE_READ(pid, level) < reader_level)
		return 0;
	struct upid *there = number_of(pid, reader_level);
	if (BPF_CORE_READ(there, ns) != reader_namespace)
		return 0;
	return BPF_CORE_READ(there, nr);
}

static __always_inline void take_process_numbers(struct task_struct *t, struct task *r)
{
	if (reader_level == 0) {
		r->pid = t->tgid;
		r->ppid = BPF_CORE_READ(t, real_parent, tgid);
	} else {
		r->pid = number_here(BPF_CORE_READ(t, group_leader, thread_pid));
		r->ppid = number_here(BPF_CORE_READ(t, real_parent, group_leader, thread_pid));
	}
}

#define READ_MEMBER(p, member) ((p)->member)
#if defined(__TARGET_ARCH_x86)
#define TAKE_REGISTERS(r, READ, regs)                 \
	do {                                          \
		(r)->syscall = (int)READ(regs, orig_ax); \
		(r)->argument[0] = READ(regs, di);    \
		(r)->argument[1] = READ(regs, si);    \
		(r)->argument[2] = READ(regs, dx);    \
		(r)->argument[3] = READ(regs, r10);   \
	} while (0)
#elif defined(__TARGET_ARCH_arm64)
#define TAKE_REGISTERS(r, READ, regs)                 \
	do {                                          \
		(r)->syscall = READ(regs, syscallno); \
		(r)->argument[0] = READ(regs, orig_x0); \
		(r)->argument[1] = READ(regs, regs[1]); \
		(r)->argument[2] = READ(regs, regs[2]); \
		(r)->argument[3] = READ(regs, regs[3]); \
	} while (0)
#endif

/* System call and arguments lie at the bottom of the kernel stack of a task that is not
 * running. */
static __always_inline void take_syscall(struct task_struct *t, struct task *r)
{
	r->syscall = -1;
	r->argument[0] = r->argument[1] = r->argument[2] = r->argument[3] = ABSENT;
	if (r->flags & TASK_IS_KERNEL_THREAD || (r->state != 'S' && r->state != 'D'))
		return;
	if (compat_has_task_pt_regs()) {
		struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(t);

		TAKE_REGISTERS(r, READ_MEMBER, regs);
	} else {
		struct pt_regs *regs = compat_task_pt_regs(t);

		TAKE_REGISTERS(r, BPF_CORE_READ, regs);
	}
	if (r->syscall >= 0) {
		r->flags |= TASK_HAS_SYSCALL;
	} else {
		r->syscall = -1;
		r->argument[0] = r->argument[1] = r->argument[2] = r->argument[3] = ABSENT;
	}
}

static __always_inline void take_sched(struct task_struct *t, struct task *r)
{
	r->policy = t->policy;
	r->nice = t->static_prio - DEFAULT_PRIO;
	r->rt_priority = t->rt_priority;
	r->last_cpu = compat_task_cpu(t);
	r->start_ns = t->start_boottime;
	r->user_ns = t->utime;
	r->system_ns = t->stime;
	r->run_ns = r->wait_ns = r->runs = ABSENT;
	if (bpf_core_field_exists(t->sched_info.run_delay)) {
		r->run_ns = t->se.sum_exec_runtime;
		r->wait_ns = t->sched_info.run_delay;
		r->runs = t->sched_info.pcount;
		r->flags |= TASK_HAS_WAIT_NS;
	}
	r->voluntary_switches = t->nvcsw;
	r->involuntary_switches = t->nivcsw;
	r->minor_faults = t->min_flt;
	r->major_faults = t->maj_flt;
}

static __always_inline void take_io(struct task_struct *t, struct task *r)
{
	r->read_bytes = r->write_bytes = r->block_delay_ns = ABSENT;
	if (bpf_core_field_exists(t->ioac.read_bytes)) {
		r->read_bytes = t->ioac.read_bytes;
		r->write_bytes = t->ioac.write_bytes;
	}
	if (bpf_core_field_exists(t->delays)) {
		struct task_delay_info *delays = BPF_CORE_READ(t, delays);

		if (delays)
			r->block_delay_ns = BPF_CORE_READ(delays, blkio_delay);
	}
}

static __always_inline __u64 pages_to_bytes(__s64 pages)
{
	return (__u64)(pages & ~(pages >> 63)) << page_shift; /* 0 when below 0 */
}

#define take_resident(mm, r)                                                          \
	do {                                                                          \
		if (!(mm) || !compat_has_mm_pages(mm)) {                               \
			(r)->anon_bytes = (r)->file_bytes = ABSENT;                   \
			(r)->shmem_bytes = (r)->swap_bytes = ABSENT;                  \
			break;                                                        \
		}                                                                     \
		(r)->anon_bytes = pages_to_bytes(compat_mm_pages(mm, MM_ANONPAGES));  \
		(r)->file_bytes = pages_to_bytes(compat_mm_pages(mm, MM_FILEPAGES));  \
		(r)->shmem_bytes = pages_to_bytes(compat_mm_pages(mm, MM_SHMEMPAGES)); \
		(r)->swap_bytes = pages_to_bytes(compat_mm_pages(mm, MM_SWAPENTS));   \
	} while (0)

static __always_inline void take_memory(struct mm_struct *mm, struct task *r)
{
	if (r->flags & TASK_IS_KERNEL_THREAD)
		mm = NULL; /* one may borrow a process's */
	r->virtual_bytes = mm ? (__u64)mm->total_vm << page_shift : ABSENT;
	take_resident(mm, r);
}

static __always_inline void take_dead(struct signal_struct *s, struct task_record *to)
{
	struct task *r = &to->task;

	r->dead_user_ns = s->utime;
	r->dead_system_ns = s->stime;
	to->dead_run_ns = s->sum_sched_runtime;
	r->dead_minor_faults = s->min_flt;
	r->dead_major_faults = s->maj_flt;
	r->dead_voluntary_switches = s->nvcsw;
	r->dead_involuntary_switches = s->nivcsw;
	r->dead_read_bytes = r->dead_write_bytes = ABSENT;
	if (bpf_core_field_exists(s->ioac.read_bytes)) {
		r->dead_read_bytes = s->ioac.read_bytes;
		r->dead_write_bytes = s->ioac.write_bytes;
	}
	r->children_user_ns = s->cutime;
	r->children_system_ns = s->cstime;
	r->children_minor_faults = s->cmin_flt;
}

/* As new_encode_dev() of the kernel writes it. */
static __always_inline __u32 terminal(struct signal_struct *s)
{
	struct tty_struct *tty = pointer(s->tty);

	/* Without one all reads give 0: a branch here would double the verifier's work. */
	__u32 major = BPF_CORE_READ(tty, driver, major);
	__u32 minor = BPF_CORE_READ(tty, driver, minor_start) + BPF_CORE_READ(tty, index);
	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

static __always_inline void take_process(const struct task_parts *parts, struct task_record *to)
{
	struct task *r = &to->task;

	r->tty = terminal(parts->signal);
	r->threads = parts->signal->nr_threads;
	r->fd_count = r->fd_limit = ABSENT;
	if (!(r->flags & TASK_IS_KERNEL_THREAD)) {
		r->fd_limit = parts->signal->rlim[LIMIT_NOFILE].rlim_cur;
		if (parts->files)
			r->fd_count = count_fds(parts->files);
	}
	take_memory(parts->mm, r);
	take_dead(parts->signal, to);
}

static __always_inline void no_process(struct task_record *to)
{
	struct task *r = &to->task;

	r->tty = 0;
	r->threads = r->fd_count = r->fd_limit = ABSENT;
	r->virtual_bytes = r->anon_bytes = r->file_bytes = r->shmem_bytes = r->swap_bytes = ABSENT;
	r->dead_user_ns = r->dead_system_ns = to->dead_run_ns = ABSENT;
	r->dead_minor_faults = r->dead_major_faults = ABSENT;
	r->dead_voluntary_switches = r->dead_involuntary_switches = ABSENT;
	r->dead_read_bytes = r->dead_write_bytes = ABSENT;
	r->children_user_ns = r->children_system_ns = r->children_minor_faults = ABSENT;
}

/* The groups of the last task: its neighbours mostly have the same. */
static struct {
	struct cgroup_subsys_state *at[TASK_CGROUP_COUNT];
	struct cgroup *unified;
	__u64 inode[TASK_CGROUP_COUNT];
} groups;

#define group_state(set, controller)                                                                  \
	({                                                                                            \
		struct cgroup_subsys_state *state_ = NULL;                                            \
		if (bpf_core_enum_value_exists(enum cgroup_subsys_id, controller))                    \
			bpf_probe_read_kernel(&state_, sizeof state_,                                 \
					      (void *)(set) + bpf_core_field_offset(struct css_set, subsys) + \
						      bpf_core_enum_value(enum cgroup_subsys_id, controller) * \
							      sizeof state_);                         \
		state_;                                                                               \
	})

/* The inode of the group's directory. A controller that lives in the v2 tree may be
 * switched on above the task's own group only: then the task's group is told, as
 * /proc/PID/cgroup does. */
static __always_inline __u64 group_inode(struct cgroup_subsys_state *state, struct cgroup *unified)
{
	if (!state)
		return 0;
	struct cgroup *group = BPF_CORE_READ(state, cgroup);
	if (BPF_CORE_READ(group, root) == BPF_CORE_READ(unified, root))
		group = unified;
	return BPF_CORE_READ(group, kn, id);
}

static __always_inline void take_groups(struct task_struct *t, struct task *r)
{
	struct css_set *set = BPF_CORE_READ(t, cgroups);
	struct cgroup *unified = BPF_CORE_READ(set, dfl_cgrp);
	struct cgroup_subsys_state *cpu = group_state(set, cpu_cgrp_id);
	struct cgroup_subsys_state *memory = group_state(set, memory_cgrp_id);
	struct cgroup_subsys_state *io = group_state(set, io_cgrp_id);
	struct cgroup_subsys_state *pids = group_state(set, pids_cgrp_id);

	if (unified != groups.unified || cpu != groups.at[TASK_CGROUP_CPU] ||
	    memory != groups.at[TASK_CGROUP_MEMORY] || io != groups.at[TASK_CGROUP_IO] ||
	    pids != groups.at[TASK_CGROUP_PIDS]) {
		groups.unified = unified;
		groups.at[TASK_CGROUP_CPU] = cpu;
		groups.at[TASK_CGROUP_MEMORY] = memory;
		groups.at[TASK_CGROUP_IO] = io;
		groups.at[TASK_CGROUP_PIDS] = pids;
		groups.inode[TASK_CGROUP_CPU] = group_inode(cpu, unified);
		groups.inode[TASK_CGROUP_MEMORY] = group_inode(memory, unified);
		groups.inode[TASK_CGROUP_IO] = group_inode(io, unified);
		groups.inode[TASK_CGROUP_PIDS] = group_inode(pids, unified);
	}
	__builtin_memcpy(r->cgroup, groups.inode, sizeof r->cgroup);
}

static __always_inline void take_net(struct task_struct *t, struct task *r)
{
	struct nsproxy *namespaces = BPF_CORE_READ(t, nsproxy);

	r->net_ns = 0;
	if (namespaces && !(r->flags & TASK_IS_KERNEL_THREAD))
		r->net_ns = BPF_CORE_READ(namespaces, net_ns, ns.inum);
}

static __always_inline void take_self(struct task_struct *t, const struct cred *cred, struct task *r)
{
	r->flags = (t->flags & KERNEL_THREAD_FLAG) / (KERNEL_THREAD_FLAG / TASK_IS_KERNEL_THREAD) |
		   BPF_CORE_READ_BITFIELD(t, in_iowait) * TASK_IN_IOWAIT;
	if (r->tid == r->pid)
		r->flags |= TASK_IS_LEADER;
	r->uid = cred->euid.val;
	bpf_probe_read_kernel(r->comm, sizeof r->comm, t->comm);
}

static __always_inline void touch_task(struct task_struct *t)
{
	touch(t->policy);
	touch(t->se.sum_exec_runtime);
	touch(t->flags);
	touch(t->utime);
	touch(t->min_flt);
	touch((__u64)t->comm[0]);
	touch(t->ioac.read_bytes);
}

static __always_inline void touch_parts(const struct task_parts *parts)
{
	touch(parts->signal->nr_threads);
	touch(parts->signal->nvcsw);
	touch(parts->signal->ioac.read_bytes);
	touch(parts->signal->rlim[LIMIT_NOFILE].rlim_cur);
	touch(parts->mm->total_vm);
	touch(compat_mm_pages(parts->mm, MM_FILEPAGES));
	touch(compat_mm_pages(parts->mm, MM_SHMEMPAGES));
	touch(parts->cred->euid.val);
	if (parts->files)
		touch(parts->files->fdt->max_fds);
}

static __always_inline int own_number(struct task_struct *t)
{
	return reader_level == 0 ? t->pid : number_here(BPF_CORE_READ(t, thread_pid));
}

/* Grows whenever the task is put on a CPU or taken off one. */
static __always_inline __u64 beats_of(struct task_struct *t)
{
	__u64 beats = t->nvcsw + t->nivcsw;

	if (bpf_core_field_exists(t->sched_info.pcount))
		beats += t->sched_info.pcount;
	return beats;
}

/* A task that sleeps and has not run since the last look is as it was then. One that is
 * about to sleep is still on its CPU: its switch is not counted yet. */
static __always_inline bool rests(struct task_struct *t, const struct task_pulse *p, __u64 beats, char state)
{
	__u32 period = walking ? TASK_WALKS_BETWEEN_REREADS : TASK_LOOKS_BETWEEN_REREADS;

	if (p->look + 1 != look || (look + (__u32)t->pid) % period == 0)
		return false;
	if (p->beats != beats || p->start_ns != t->start_boottime || p->tid != t->pid)
		return false;
	if (bpf_core_field_exists(t->on_cpu) && t->on_cpu)
		return false;
	return state != 'R';
}

static __always_inline void write_rest(struct seq_file *seq, struct mm_struct *mm, int tid)
{
	struct task_rest rest = { .minus_tid = -tid };

	take_resident(mm, &rest);
	bpf_seq_write(seq, &rest, sizeof rest);
}

/* Whether the record stays true while the task rests: a process of several threads changes by what the
 * others do. */
static __always_inline bool lasts(const struct task *r)
{
	return !(r->flags & TASK_IS_LEADER) || r->threads == 1;
}

/* Fills the record. False: the process is over. */
static __always_inline bool fill_task(struct task_struct *t, struct mm_struct *mm, int tid, char state)
{
	struct task *r = &record.task;
	struct task_parts parts = {
		.signal = pointer(t->signal),
		.mm = mm,
		.files = pointer(t->files),
		.cred = pointer(t->real_cred),
	};

	touch_task(t);
	touch_parts(&parts);
	r->tid = tid;
	take_process_numbers(t, r);
	if (r->pid == 0) /* its leader is being released: the process is over */
		return false;
	take_self(t, parts.cred, r);
	r->state = state;
	take_sched(t, r);
	take_io(t, r);
	take_syscall(t, r);
	take_groups(t, r);
	take_net(t, r);
	if (r->flags & TASK_IS_LEADER)
		take_process(&parts, &record);
	else
		no_process(&record);
	return true;
}

static __always_inline void keep_pulse(struct task_pulse *pulse, struct task_struct *t, __u64 beats, bool lasts)
{
	pulse->tid = t->pid;
	pulse->start_ns = t->start_boottime;
	pulse->beats = beats;
	pulse->look = lasts ? look : look - 2;
}

/* All that follows pointers of the kernel stands in here, not in the program proper: a program
 * with functions of its own had no exception table before 6.4 (0108a4e9f358 "bpf: ensure main
 * program has an extable", not in all stable kernels), its functions had. There a pointer
 * that a dying task has lost is an oops instead of a zero. */
static __noinline int dump(struct bpf_iter__task *ctx)
{
	struct task_struct *t = ctx->task;
	struct bpf_iter_meta *meta = ctx->meta;

	if (!t)
		return 0;
	struct seq_file *seq = pointer(meta->seq);
	struct mm_struct *mm = pointer(t->mm);
	if (meta->seq_num == 0) {
#ifdef TASK_WALK
		walking = false;
#endif
		find_reader();
		groups.unified = NULL;
	}
	int tid = own_number(t);
	__u32 at = (__u32)t->pid % TASK_PULSES;
	struct task_pulse *pulse = bpf_map_lookup_elem(&pulses, &at);
	if (tid == 0 || !pulse)
		return 0;
	char state = state_char(compat_task_state(t), t->exit_state);
	__u64 beats = beats_of(t);
	if (rests(t, pulse, beats, state)) {
		write_rest(seq, mm, tid);
		pulse->look = look;
	} else {
		bool filled = fill_task(t, mm, tid, state);

		if (filled)
			bpf_seq_write(seq, &record, sizeof record);
		keep_pulse(pulse, t, beats, filled && lasts(&record.task));
	}
	return 0;
}

SEC("iter/task")
int dump_task(struct bpf_iter__task *ctx)
{
	return dump(ctx);
}
