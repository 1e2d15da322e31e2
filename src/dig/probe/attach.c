#include "dig/probe/attach.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dig/probe/tracepoint.h"

/* As linux/bpf.h of 6.6 has it; older headers do not. */
struct link_create_multi {
	uint32_t program, target, type, flags;
	uint64_t path, offsets, semaphores, cookies;
	uint32_t n, multi_flags, pid, pad;
};
#define KERNEL_ENOTSUPP 524 /* of the kernel alone, and yet it comes out */
#define MULTI_RETURN 1u /* BPF_F_UPROBE_MULTI_RETURN */

static int link_create(struct link_create_multi *attr)
{
	long fd = syscall(SYS_bpf, BPF_LINK_CREATE, attr, sizeof *attr);

	return fd < 0 ? -errno : (int)fd;
}

static int load_empty(int expected)
{
	const struct bpf_insn code[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K }, { .code = BPF_JMP | BPF_EXIT } };
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = (enum bpf_attach_type)expected);

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, NULL, "GPL", code, 2, &opts);
}

bool attach_multi_there(void)
{
	cleanup(close_fd) int program = load_empty(ATTACH_UPROBE_MULTI);

	if (program < 0)
		return false;
	uint64_t offset = 0;
	/* A path that is a directory is refused with EBADF once the kernel has understood the rest. */
	struct link_create_multi attr = { .program = (uint32_t)program, .type = ATTACH_UPROBE_MULTI,
					  .path = (uintptr_t) "/", .offsets = (uintptr_t)&offset, .n = 1 };
	int fd = link_create(&attr);

	if (fd >= 0)
		close(fd);
	return fd == -EBADF;
}

bool attach_cookies_there(void)
{
	const struct bpf_insn code[] = { { .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_attach_cookie },
					 { .code = BPF_JMP | BPF_EXIT } };
	int fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, NULL, "GPL", code, 2, NULL);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

bool attach_registers_there(void)
{
	const struct bpf_insn code[] = { { .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_current_task_btf },
					 { .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_0 },
					 { .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_task_pt_regs },
					 { .code = BPF_ALU64 | BPF_MOV | BPF_K },
					 { .code = BPF_JMP | BPF_EXIT } };
	int fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, NULL, "GPL", code, 5, NULL);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* ---- perf events ---- */

static int pmu_number(const char *file, uint64_t *ret)
{
	char path[120], text[64];
	cleanup(close_fd) int fd = -1;

	snprintf(path, sizeof path, "/sys/bus/event_source/devices/%s", file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, text, sizeof text);
	if (n <= 0)
		return -EBADMSG;
	struct span s = span_trim((struct span){ text, (size_t)n });
	span_take(&s, "config:");
	struct span first;
	return span_u64(span_until(&s, '-', &first) ? first : s, ret) ? 0 : -EBADMSG;
}

static int describe(enum probe_kind kind, const struct probe_site *site, struct perf_event_attr *attr, struct note *note)
{
	bool user = kind >= PROBE_UPROBE;
	const char *pmu = user ? "uprobe" : "kprobe";
	char file[64];
	uint64_t n;

	*attr = (struct perf_event_attr){ .size = sizeof *attr };
	if (kind == PROBE_TRACEPOINT) {
		attr->type = PERF_TYPE_TRACEPOINT;
		attr->config = site->id;
		return 0;
	}
	snprintf(file, sizeof file, "%s/type", pmu);
	if (pmu_number(file, &n) < 0)
		return note_set(note, -EOPNOTSUPP, "%ss: not measurable: needs %s, which this kernel lacks", pmu,
				user ? "CONFIG_UPROBE_EVENTS" : "CONFIG_KPROBE_EVENTS");
	attr->type = (uint32_t)n;
	if (kind == PROBE_KRETPROBE || kind == PROBE_URETPROBE) {
		snprintf(file, sizeof file, "%s/format/retprobe", pmu);
		if (pmu_number(file, &n) < 0)
			return note_set(note, -EOPNOTSUPP, "%s: this kernel cannot attach to returns", pmu);
		attr->config |= UINT64_C(1) << n;
	}
	if (site->semaphore) {
		if (pmu_number("uprobe/format/ref_ctr_offset", &n) < 0)
			return note_set(note, -EOPNOTSUPP,
					"%s has a semaphore, which kernels before 4.20 do not raise: its probe stays silent", site->name);
		attr->config |= site->semaphore << n;
	}
	attr->config1 = (uintptr_t)(user ? site->path : site->function);
	attr->config2 = site->offset;
	return 0;
}

static int attach_failed(struct note *note, int error, const struct probe_site *site)
{
	const char *why = error == -EACCES || error == -EPERM ? "not permitted; needs root (CAP_PERFMON and CAP_BPF)" :
			  error == -ESRCH ? "that process is not there" :
			  error == -ENOENT ? "it cannot be probed: no such function, or one that probes must not enter" :
			  error == -EINVAL || error == -EILSEQ || error == -KERNEL_ENOTSUPP ?
				  "the kernel puts no probe there (within an instruction, or code it excludes)" :
			  error == -EMFILE ? "too many open files (ulimit -n)" :
					     strerror(-error);
	return note_set(note, error, "%.140s: %s", site->name, why);
}

static int keep(fd_vec *v, int fd)
{
	int *slot = vec_push(v);

	if (!slot) {
		close(fd);
		return -ENOMEM;
	}
	*slot = fd;
	return 0;
}

static int connect_program(int program, int event, const struct probe_site *site, bool cookie, fd_vec *ret)
{
	if (cookie) {
		LIBBPF_OPTS(bpf_link_create_opts, opts, .perf_event.bpf_cookie = site->number);
		int link = bpf_link_create(program, event, BPF_PERF_EVENT, &opts);

		if (link < 0)
			return link;
		int r = keep(ret, link);
		if (r < 0)
			return r;
	} else if (ioctl(event, PERF_EVENT_IOC_SET_BPF, program) < 0) {
		return -errno;
	}
	return ioctl(event, PERF_EVENT_IOC_ENABLE, 0) < 0 ? -errno : 0;
}

int attach_site(int program, enum probe_kind kind, const struct probe_site *site, int pid, bool cookie, fd_vec *ret,
		struct note *note)
{
	struct perf_event_attr attr;

	if (kind == PROBE_RAW_TRACEPOINT) {
		int fd = bpf_raw_tracepoint_open(site->function, program);
		return fd < 0 ? attach_failed(note, fd, site) : keep(ret, fd);
	}
	int r = describe(kind, site, &attr, note);
	if (r < 0)
		return r;
	/* Kernel events are narrowed to the process by the program: the event's own scope is one thread. */
	bool user = kind >= PROBE_UPROBE;
	bool one = user && pid;
	int event = (int)syscall(SYS_perf_event_open, &attr, one ? pid : -1, one ? -1 : 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (event < 0)
		return attach_failed(note, -errno, site);
	r = keep(ret, event);
	r = r < 0 ? r : connect_program(program, event, site, cookie, ret);
	return r < 0 ? attach_failed(note, r, site) : 0;
}

/* ---- all at once ---- */

int attach_multi(int program, const struct probe_variant *v, int pid, fd_vec *ret, struct note *note)
{
	uint64_t *list = calloc(3 * v->site.n, sizeof *list);
	bool semaphores = false;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < v->site.n; i++) {
		list[i] = v->site.v[i].offset;
		list[v->site.n + i] = v->site.v[i].number;
		list[2 * v->site.n + i] = v->site.v[i].semaphore;
		semaphores = semaphores || v->site.v[i].semaphore;
	}
	struct link_create_multi attr = {
		.program = (uint32_t)program,
		.type = ATTACH_UPROBE_MULTI,
		.path = (uintptr_t)v->site.v[0].path,
		.offsets = (uintptr_t)list,
		.cookies = (uintptr_t)(list + v->site.n),
		.semaphores = semaphores ? (uintptr_t)(list + 2 * v->site.n) : 0,
		.n = (uint32_t)v->site.n,
		.multi_flags = v->kind == PROBE_URETPROBE ? MULTI_RETURN : 0,
		.pid = (uint32_t)pid,
	};
	int fd = link_create(&attr);
	free(list);
	return fd < 0 ? attach_failed(note, fd, &v->site.v[0]) : keep(ret, fd);
}
