/* Which calls have to do with a path: one that they name, or that of an open file that they use by its descriptor. The
 * latter is walked from the file's directory entry to the root of its mount namespace, as /proc/PID/fd has it; so it is
 * right however the descriptor came to be (dup, fork, a message, before tracing began). ~1 us for each descriptor, with a
 * path filter alone. Files without a place in a tree (pipes, sockets, memfd) have no path.
 * The includer defines struct thread and `settings` before.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef OSPREY_DIG_TRACE_TRACE_PATHS_BPF_H
#define OSPREY_DIG_TRACE_TRACE_PATHS_BPF_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct dentry;

struct qstr {
	__u32 len;
	const unsigned char *name;
};

struct dentry_operations {
	void *d_dname; /* makes up a name for what has none */
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	const struct dentry_operations *d_op;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
};

struct fdtable___files {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct___open {
	struct fdtable___files *fdt;
};

#pragma clang attribute pop

#define PATH_ROOM 1024 /* a power of two; longer paths fit by their end alone */
#define PATH_STEPS 48  /* directories and mounts */
#define NAME_MAX 255

/* A path being looked at: `size` bytes from `first` on. */
struct path_text {
	__u32 first, size;
	__u8 cut;
	__u8 unused[7];
	char bytes[PATH_ROOM + NAME_MAX + 1];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct path_text);
} path_texts SEC(".maps");

__noinline int path_like(struct path_text *p, __u32 k)
{
	const volatile struct trace_path_filter *f;

	if (!p || k >= TRACE_PATHS)
		return 0;
	barrier_var(k);
	f = &settings.path[k & (TRACE_PATHS - 1)];
	if (f->prefix_size > p->size || f->suffix_size > p->size || (f->exact && f->prefix_size != p->size))
		return 0;
	if (p->cut && f->prefix_size)
		return 0;
	for (__u32 i = 0; i < TRACE_PATH_MAX; i++) {
		__u32 here = p->first + i;

		if (i >= f->prefix_size)
			break;
		if (p->bytes[here & (PATH_ROOM - 1)] != f->prefix[i])
			return 0;
	}
	for (__u32 i = 0; i < TRACE_PATH_MAX; i++) {
		__u32 here = p->first + p->size - f->suffix_size + i;

		if (i >= f->suffix_size)
			break;
		if (p->bytes[here & (PATH_ROOM - 1)] != f->suffix[i])
			return 0;
	}
	return 1;
}

static __always_inline bool path_fits(struct path_text *p)
{
	for (__u32 k = 0; k < TRACE_PATHS && k < settings.npaths; k++)
		if (path_like(p, k))
			return true;
	return false;
}

/* ---- paths that are named ---- */

__noinline int path_named(struct thread *t, struct path_text *p, __u32 paths)
{
	__u64 at = 0;

	if (!t || !p)
		return 0;
	for (__u32 i = 0; i < TRACE_ARGUMENTS; i++) {
		struct trace_part *part;
		__u64 here = at, size;

		barrier_var(here);
		if (here > TRACE_PAYLOAD_MAX || here >= t->record.size)
			break;
		part = (struct trace_part *)(t->payload + here);
		size = part->size;
		if (part->argument < TRACE_ARGUMENTS && (paths & 1 << (part->argument & 7)) && size && size <= PATH_ROOM) {
			p->first = 0;
			p->size = size - 1;
			p->cut = 0;
			if (!bpf_probe_read_kernel(p->bytes, size & (2 * PATH_ROOM - 1), part + 1) && path_fits(p))
				return 1;
		}
		at = here + sizeof *part + ((size + 7) & ~7u);
	}
	return 0;
}

/* ---- paths of open files ---- */

static __always_inline struct file *open_file(__u32 fd)
{
	struct files_struct___open *files = (void *)BPF_CORE_READ(bpf_get_current_task_btf(), files);
	struct fdtable___files *table = BPF_CORE_READ(files, fdt);
	struct file *file = NULL;

	if (fd < BPF_CORE_READ(table, max_fds))
		bpf_probe_read_kernel(&file, sizeof file, BPF_CORE_READ(table, fd) + fd);
	return file;
}

static __always_inline void path_prepend(struct path_text *p, struct dentry *entry)
{
	const unsigned char *name = BPF_CORE_READ(entry, d_name.name);
	__u32 size = BPF_CORE_READ(entry, d_name.len), at = p->first;

	if (size > NAME_MAX || at < size + 1) {
		p->cut = 1;
		return;
	}
	at -= size + 1;
	p->first = at;
	barrier_var(at);
	at &= PATH_ROOM - 1;
	p->bytes[at] = '/';
	bpf_probe_read_kernel(p->bytes + at + 1, size & NAME_MAX, name);
}

/* 1: it has a place, and that is in *p. */
__noinline int path_of_fd(struct path_text *p, __u32 fd)
{
	struct file *file = open_file(fd);
	struct dentry *entry = BPF_CORE_READ(file, f_path.dentry);
	struct vfsmount *mounted = BPF_CORE_READ(file, f_path.mnt);
	struct mount *mount = (void *)mounted - bpf_core_field_offset(struct mount, mnt);

	if (!p || !file || !entry || BPF_CORE_READ(entry, d_op, d_dname))
		return 0;
	p->first = PATH_ROOM;
	p->cut = 0;
	for (__u32 i = 0; i < PATH_STEPS; i++) {
		struct dentry *up = BPF_CORE_READ(entry, d_parent);

		if (entry == BPF_CORE_READ(mount, mnt.mnt_root)) {
			struct mount *below = BPF_CORE_READ(mount, mnt_parent);

			if (below == mount)
				break;
			entry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = below;
			continue;
		}
		if (!up || entry == up)
			break;
		path_prepend(p, entry);
		if (p->cut)
			break;
		entry = up;
	}
	p->size = PATH_ROOM - p->first;
	return 1;
}

static __always_inline bool fd_at_path(struct path_text *p, __u64 fd)
{
	return (__s32)fd >= 0 && path_of_fd(p, fd) && path_fits(p);
}

/* A call with what it was given. */
static __always_inline bool path_wanted(struct thread *t, const volatile struct trace_call_rule *rule)
{
	struct path_text *p = bpf_task_storage_get(&path_texts, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!p || (t->record.flags & RECORD_COMPAT))
		return false;
	if (rule->paths && path_named(t, p, rule->paths))
		return true;
	for (__u32 i = 0; i < TRACE_ARGUMENTS; i++)
		if ((rule->fds & 1 << i) && fd_at_path(p, t->record.argument[i]))
			return true;
	return false;
}

/* The file that a call has opened: its path may have been a relative one, or led through a link. */
static __always_inline bool path_opened(struct thread *t, const volatile struct trace_call_rule *rule)
{
	struct path_text *p = bpf_task_storage_get(&path_texts, bpf_get_current_task_btf(), 0, 0);

	return p && (rule->flags & CALL_GIVES_FD) && !(t->record.flags & RECORD_COMPAT) && fd_at_path(p, t->record.result);
}

#endif
