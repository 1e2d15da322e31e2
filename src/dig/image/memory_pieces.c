#include "dig/image/memory_pieces.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>

/* How many whole pieces the call has read; it stops at the first that is not there. */
static size_t whole(const struct memory_piece *p, size_t n, ssize_t got)
{
	size_t i = 0;

	while (i < n && got >= (ssize_t)p[i].n)
		got -= (ssize_t)p[i++].n;
	return i;
}

static size_t read_batch(int pid, struct memory_piece *p, size_t n)
{
	struct iovec to[PIECES_MAX], from[PIECES_MAX];
	ssize_t got;
	size_t done;

	for (size_t i = 0; i < n; i++) {
		to[i] = (struct iovec){ p[i].to, p[i].n };
		from[i] = (struct iovec){ (void *)(uintptr_t)p[i].address, p[i].n };
	}
	got = process_vm_readv(pid, to, n, from, n, 0);
	done = whole(p, n, got < 0 ? 0 : got);
	for (size_t i = 0; i < done; i++)
		p[i].had = true;
	return done < n ? done + 1 : n; /* the one that failed is passed over */
}

void memory_pieces_read(const struct address_space *a, struct memory_piece *p, size_t n)
{
	if (a->pid > 0) {
		for (size_t i = 0; i < n;)
			i += read_batch(a->pid, p + i, n - i < PIECES_MAX ? n - i : PIECES_MAX);
		return;
	}
	for (size_t i = 0; i < n; i++)
		p[i].had = a->read && a->read(a->arg, p[i].address, p[i].to, p[i].n) == 0;
}

int copied_stacks_want(struct copied_stacks *s, uint64_t sp, uint64_t end)
{
	struct copied_stack *k = vec_push(&s->stack);
	size_t first = s->first ? s->first : STACK_FIRST;

	if (!k)
		return -ENOMEM;
	k->sp = k->from = sp;
	k->end = end - sp > STACK_MAX ? sp + STACK_MAX : end;
	k->n = k->end - sp < first ? k->end - sp : first;
	k->at = s->total;
	s->total += k->n;
	return 0;
}

int copied_stacks_want_from(struct copied_stacks *s, uint64_t sp, uint64_t end, uint64_t from)
{
	size_t most = s->first ? s->first : STACK_FIRST;
	int rc = copied_stacks_want(s, sp, end - sp < most ? end : sp + most);

	if (rc == 0)
		s->stack.v[s->stack.n - 1].from = from;
	return rc;
}

static int make_room(struct copied_stacks *s)
{
	if (s->total > s->capacity || !s->bytes) {
		free(s->bytes);
		s->bytes = malloc(s->total + 1);
		s->capacity = s->bytes ? s->total : 0;
	}
	if (s->stack.n > s->npieces || !s->piece) {
		free(s->piece);
		s->piece = malloc((s->stack.n + 1) * sizeof *s->piece);
		s->npieces = s->piece ? s->stack.n : 0;
	}
	return s->bytes && s->piece ? 0 : -ENOMEM;
}

int copied_stacks_read(struct copied_stacks *s, const struct address_space *a)
{
	struct memory_piece *p;

	if (make_room(s) < 0)
		return -ENOMEM;
	p = s->piece;
	for (size_t i = 0; i < s->stack.n; i++)
		p[i] = (struct memory_piece){ s->stack.v[i].from, s->bytes + s->stack.v[i].at, s->stack.v[i].n, false };
	memory_pieces_read(a, p, s->stack.n);
	for (size_t i = 0; i < s->stack.n; i++) {
		struct copied_stack *k = &s->stack.v[i];

		k->bytes = p[i].had ? p[i].to : NULL;
		k->space = a;
		k->page = s->page;
	}
	return 0;
}

void copied_stacks_clear(struct copied_stacks *s)
{
	s->stack.n = s->total = 0;
}

void copied_stacks_deinit(struct copied_stacks *s)
{
	vec_free(&s->stack);
	free(s->bytes);
	free(s->piece);
	s->bytes = NULL;
	s->piece = NULL;
}

/* A deep stack: what lies behind the copy. */
static int read_behind(struct copied_stack *k, uint64_t address, void *to, size_t n)
{
	const struct address_space *a = k->space;

	if (!k->page_n || address < k->page_address || address + n > k->page_address + k->page_n) {
		size_t more = k->end - address < 16384 ? k->end - address : 16384;

		k->page_n = 0;
		if (!a || !a->read || a->read(a->arg, address, k->page, more) < 0)
			return -EFAULT;
		k->page_address = address;
		k->page_n = more;
	}
	memcpy(to, k->page + (address - k->page_address), n);
	return 0;
}

int copied_stack_read(void *arg, uint64_t address, void *to, size_t n)
{
	struct copied_stack *k = arg;

	if (!k->bytes || address < k->sp || address >= k->end || n > k->end - address)
		return -EFAULT;
	if (address - k->sp <= k->n && n <= k->n - (address - k->sp)) {
		memcpy(to, k->bytes + (address - k->sp), n);
		return 0;
	}
	return read_behind(k, address, to, n);
}
