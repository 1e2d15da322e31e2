#include "dig/core/core_witness.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PIECE (UINT64_C(2) << 20) /* no page table covers less */

static uint64_t piece_of(uint64_t address)
{
	return address / PIECE;
}

int core_witness_add(struct core_witness *w, uint64_t start, uint64_t end)
{
	for (uint64_t at = start; at < end; at = (piece_of(at) + 1) * PIECE) {
		void **last = w->page.n ? &w->page.v[w->page.n - 1] : NULL;

		if (last && piece_of((uintptr_t)*last) == piece_of(at))
			continue;
		void **new = vec_push(&w->page);

		if (!new || vec_reserve(&w->status, w->page.n) < 0)
			return -ENOMEM;
		*new = (void *)(uintptr_t)at;
	}
	return 0;
}

void core_witness_ask(struct core_witness *w, int pid)
{
	for (size_t i = 0; i < w->page.n; i++)
		w->status.v[i] = -ENOENT;
	w->asked = w->page.n && syscall(SYS_move_pages, pid, w->page.n, w->page.v, NULL, w->status.v, 0) == 0;
}

static size_t first_from(const struct core_witness *w, uint64_t address)
{
	size_t low = 0, high = w->page.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if ((uintptr_t)w->page.v[middle] < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint64_t core_witness_stretch(const struct core_witness *w, uint64_t at, uint64_t end, bool *ret_sound)
{
	uint64_t piece = piece_of(at);
	size_t i = first_from(w, piece * PIECE);

	for (bool first = true;; first = false, piece++) {
		bool sound = w->asked && i < w->page.n && piece_of((uintptr_t)w->page.v[i]) == piece &&
			     w->status.v[i] >= 0;

		if (first)
			*ret_sound = sound;
		else if (sound != *ret_sound || piece * PIECE >= end)
			return piece * PIECE < end ? piece * PIECE : end;
		while (i < w->page.n && piece_of((uintptr_t)w->page.v[i]) <= piece)
			i++;
	}
}

void core_witness_deinit(struct core_witness *w)
{
	vec_free(&w->page);
	vec_free(&w->status);
	w->asked = false;
}
