#include "dig/stack/thread_proc.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "dig/image/target_memory.h"

#define STACK_BYTES (16u << 10)

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int thread_proc_list(struct host *h, int pid, tid_list *ret)
{
	cleanup(buf_deinit) struct buf names = { 0 };
	struct span rest, name;
	char path[64];
	uint64_t tid;

	snprintf(path, sizeof path, "/proc/%d/task", pid);
	int r = host_list(h, path, &names);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	ret->n = 0;
	rest = buf_span(&names);
	while (span_line(&rest, &name)) {
		if (!span_u64(name, &tid) || tid > INT32_MAX)
			continue;
		int *added = vec_push(ret);
		if (!added)
			return -ENOMEM;
		*added = (int)tid;
	}
	if (ret->n == 0)
		return -ESRCH;
	qsort(ret->v, ret->n, sizeof ret->v[0], by_number);
	return 0;
}

static bool next_hex(struct span *line, uint64_t *ret)
{
	struct span word;

	return span_word(line, &word) && span_hex(word, ret);
}

int thread_proc_parse_syscall(struct span text, struct thread_stack *ret)
{
	struct span line, word;
	uint64_t argument[6] = { 0 }, sp, pc;
	int64_t number;

	if (!span_line(&text, &line))
		return -EBADMSG;
	if (span_is(span_trim(line), "running")) {
		ret->on_cpu = true;
		ret->syscall = -1;
		return 0;
	}
	if (!span_word(&line, &word) || !span_i64(word, &number) || number < -1 || number > INT32_MAX)
		return -EBADMSG;
	for (size_t i = 0; number >= 0 && i < 6; i++)
		if (!next_hex(&line, &argument[i]))
			return -EBADMSG;
	if (!next_hex(&line, &sp) || !next_hex(&line, &pc))
		return -EBADMSG;
	ret->syscall = (int32_t)number;
	memcpy(ret->argument, argument, sizeof argument);
	ret->registers = (struct unwind_registers){ .known = 1u << UNWIND_RSP | 1u << UNWIND_RIP };
	ret->registers.value[UNWIND_RSP] = sp;
	ret->registers.value[UNWIND_RIP] = pc;
	return 0;
}

int thread_proc_parse_stat(struct span text, struct thread_stack *ret)
{
	struct span before, word;

	/* A name may hold ") S": the last parenthesis is the kernel's. */
	before = text;
	if (!span_until_last(&before, ')', &text) || !span_until(&before, '(', &word))
		return -EBADMSG;
	if (!span_word(&text, &word) || word.n != 1 || !isalpha((unsigned char)word.p[0]))
		return -EBADMSG;
	span_copy(before, ret->comm, sizeof ret->comm);
	ret->state = word.p[0];
	return 0;
}

int thread_proc_parse_stack(struct span text, struct buf *ret)
{
	struct span line, address;

	while (span_line(&text, &line)) {
		if (!span_until(&line, ']', &address))
			continue;
		line = span_trim(line);
		/* What old kernels end with is no function. */
		if (line.n == 0 || span_starts(line, "0xffffffffffffffff"))
			continue;
		int r = buf_append(ret, line.p, line.n);
		if (r >= 0)
			r = buf_append(ret, "\n", 1);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_of(struct host *h, int pid, int tid, const char *name, struct buf *ret)
{
	char path[96];

	snprintf(path, sizeof path, "/proc/%d/task/%d/%s", pid, tid, name);
	int r = host_read(h, path, ret);
	return r == -ENOENT ? -ESRCH : r;
}

static void take_kernel_stack(struct host *h, struct buf *scratch, struct thread_stack *t)
{
	struct buf text = { 0 };
	int r = read_of(h, t->pid, t->tid, "stack", scratch);

	if (r >= 0)
		r = thread_proc_parse_stack(buf_span(scratch), &text);
	if (r < 0)
		buf_deinit(&text);
	t->kernel_error = r < 0 ? r : 0;
	t->kernel_text = text.data;
}

int thread_copy_stack(struct thread_stack *t, size_t most)
{
	free(t->bytes);
	t->nbytes = 0;
	t->bytes = malloc(most);
	if (!t->bytes)
		return -ENOMEM;
	ssize_t got = target_memory_read_front(t->tid, t->registers.value[UNWIND_RSP], t->bytes, most);
	t->nbytes = got < 0 ? 0 : (size_t)got;
	return 0;
}

int thread_proc_take(struct host *h, int pid, int tid, struct thread_stack *ret)
{
	cleanup(buf_deinit) struct buf text = { 0 };

	*ret = (struct thread_stack){ .pid = pid, .tid = tid, .syscall = -1 };
	int r = read_of(h, pid, tid, "stat", &text);
	if (r >= 0)
		r = thread_proc_parse_stat(buf_span(&text), ret);
	if (r < 0)
		return r;
	take_kernel_stack(h, &text, ret);
	r = read_of(h, pid, tid, "syscall", &text);
	if (r >= 0)
		r = thread_proc_parse_syscall(buf_span(&text), ret);
	/* A zombie, a kernel thread: the file is there and says nothing. */
	if (r == -EBADMSG || r == -EINVAL)
		return 0;
	if (r < 0) {
		ret->error = r;
		return r == -ENOMEM ? r : 0;
	}
	if (ret->on_cpu || !ret->registers.known || !ret->registers.value[UNWIND_RSP])
		return 0;
	ret->way = STACK_PROC;
	return thread_copy_stack(ret, STACK_BYTES);
}
