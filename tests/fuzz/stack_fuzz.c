/* What stacks are read from: core files, samples of perf, texts of /proc/TID. The first byte picks one. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dig/stack/stack.h"
#include "dig/stack/thread_perf.h"
#include "dig/stack/thread_proc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Core files are read by pread: through a file in memory. Whatever stands in them, their stacks end. */
static void core(struct span bytes)
{
	struct image_store *store = NULL;
	struct process_stacks *s = NULL;
	char path[40];
	int fd = memfd_create("core", MFD_CLOEXEC);

	if (fd < 0 || write(fd, bytes.p, bytes.n) != (ssize_t)bytes.n || image_store_new(&store) < 0)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (process_stacks_of_core(store, path, NULL, &s, NULL) == 0) {
		vec_each(t, &s->threads)
			assert(t->nframes <= STACK_FRAMES_MAX);
		process_stacks_free(s);
	}
	image_store_free(store);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct thread_stack t = { 0 };
	struct buf text = { 0 };

	if (size == 0)
		return 0;
	struct span bytes = { (const char *)data + 1, size - 1 };
	switch (data[0] % 5) {
	case 0:
		core(bytes);
		break;
	case 1:
		if (thread_perf_parse(bytes, &t) == 0)
			assert(t.nbytes <= bytes.n && t.nkernel <= STACK_KERNEL_FRAMES);
		free(t.kernel);
		free(t.bytes);
		break;
	case 2:
		if (thread_proc_parse_syscall(bytes, &t) == 0)
			assert(t.on_cpu || t.registers.known);
		break;
	case 3:
		if (thread_proc_parse_stat(bytes, &t) == 0)
			assert(memchr(t.comm, '\0', sizeof t.comm) && t.state);
		break;
	case 4:
		if (thread_proc_parse_stack(bytes, &text) == 0)
			assert(text.n <= bytes.n + 1);
		buf_deinit(&text);
		break;
	}
	return 0;
}
