#include "dig/symbol/kernel_names.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dig/symbol/kernel_names.bpf.h"
#include "kernel/bpf_load.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include "dig/symbol/kernel_names.skel.h"
#pragma GCC diagnostic pop

struct kernel_names {
	BPF_PROGRAMS(kernel_names) bpf;
	int link_fd;
};

/* Before 6.1 the wish for one task is not known: then all are walked over, and the first answer counts. */
static int link_to_ourselves(struct kernel_names *k)
{
	union bpf_iter_link_info one = { .task = { .tid = (uint32_t)getpid() } };
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &one, .iter_info_len = sizeof one);

	return bpf_link_create(BPF_PROGRAM_FD(&k->bpf, name_addresses), 0, BPF_TRACE_ITER, &opts);
}

int kernel_names_new(struct kernel_names **ret, struct note *note)
{
	struct host *h = NULL;
	int r = host_open_live("/", &h, note);

	if (r < 0)
		return r;
	r = bpf_usable(h, note);
	host_free(h);
	if (r < 0)
		return r;
	struct kernel_names *k = calloc(1, sizeof *k);
	if (!k)
		return note_set(note, -ENOMEM, "out of memory");
	r = BPF_LOAD_PLAIN(kernel_names, &k->bpf);
	if (r >= 0)
		r = k->link_fd = link_to_ourselves(k);
	if (r < 0) {
		BPF_UNLOAD(kernel_names, &k->bpf);
		free(k);
		return bpf_load_failed(note, r, "names of kernel functions by BPF");
	}
	*ret = k;
	return 0;
}

void kernel_names_free(struct kernel_names *k)
{
	if (!k)
		return;
	close(k->link_fd);
	BPF_UNLOAD(kernel_names, &k->bpf);
	free(k);
}

/* Lines enough for `n`; what a kernel that walks over all tasks writes more is not wanted. */
static int read_lines(int fd, size_t n, struct buf *ret)
{
	size_t lines = 0;

	while (lines < n) {
		if (buf_reserve(ret, 32768) < 0)
			return -ENOMEM;
		ssize_t got = read(fd, ret->data + ret->n, 32768);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EBADMSG;
		for (ssize_t i = 0; i < got && lines < n; i++) {
			lines += ret->data[ret->n] == '\n';
			ret->n++;
		}
	}
	ret->data[ret->n] = '\0';
	return 0;
}

int kernel_names_look(struct kernel_names *k, const uint64_t *addresses, size_t n, struct buf *ret)
{
	for (size_t at = 0; at < n; at += KERNEL_NAMES_BATCH) {
		size_t batch = n - at < KERNEL_NAMES_BATCH ? n - at : KERNEL_NAMES_BATCH;
		memcpy(BPF_GLOBAL(&k->bpf, addresses), addresses + at, batch * sizeof *addresses);
		BPF_GLOBAL(&k->bpf, count) = (unsigned)batch;
		cleanup(close_fd) int fd = bpf_iter_create(k->link_fd);
		if (fd < 0)
			return -errno;
		int r = read_lines(fd, batch, ret);
		if (r < 0)
			return r;
	}
	return 0;
}

bool kernel_name_parse(struct span line, struct kernel_name *ret)
{
	struct kernel_name name = { .module = SPAN("[kernel]") };
	struct span offset, word;

	if (!span_until(&line, '+', &name.function) || name.function.n == 0 || !span_until(&line, '/', &offset) ||
	    !span_hex(offset, &name.offset))
		return false;
	if (span_word(&line, &word) && span_word(&line, &word) && word.n > 2 && word.p[0] == '[')
		name.module = word;
	*ret = name;
	return true;
}
