#include "dig/core/core_witness.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"

#define PIECE (UINT64_C(2) << 20)
#define PIECES 4

static char *memory; /* of whole pieces, aligned */

static void touch_all(void)
{
	char *m = mmap(NULL, (PIECES + 1) * PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(m != MAP_FAILED);
	memory = m + (PIECE - (uintptr_t)m % PIECE) % PIECE;
	madvise(memory, PIECES * PIECE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < PIECES; i++)
		memory[i * PIECE + 4096 * 3] = 1;
}

static void one_of_each_piece(void)
{
	struct core_witness w = { 0 };
	bool sound = true;

	CHECK_U64(core_witness_stretch(&w, PIECE, 3 * PIECE + 4096, &sound), 3 * PIECE + 4096);
	CHECK(!sound);
	CHECK(core_witness_add(&w, PIECE + 4096, PIECE + 8192) == 0);
	CHECK(core_witness_add(&w, PIECE + 16384, 3 * PIECE + 4096) == 0);
	CHECK_U64(w.page.n, 3);
	CHECK_U64((uintptr_t)w.page.v[0], PIECE + 4096);
	CHECK_U64((uintptr_t)w.page.v[1], 2 * PIECE);
	CHECK_U64((uintptr_t)w.page.v[2], 3 * PIECE);
	/* Nobody was asked: nobody vouches. */
	CHECK_U64(core_witness_stretch(&w, PIECE, 4 * PIECE, &sound), 4 * PIECE);
	CHECK(!sound);
	core_witness_deinit(&w);
}

static void given_back(void)
{
	uint64_t start = (uintptr_t)memory, end = start + PIECES * PIECE;
	struct core_witness w = { 0 };
	bool sound;

	for (size_t i = 0; i < PIECES; i++)
		CHECK(core_witness_add(&w, start + i * PIECE + 4096 * 3, start + i * PIECE + 4096 * 4) == 0);
	core_witness_ask(&w, getpid());
	if (w.asked) {
		CHECK_U64(core_witness_stretch(&w, start + 4096, end, &sound), end);
		CHECK(sound);
		madvise(memory + PIECE, PIECE, MADV_DONTNEED);
		core_witness_ask(&w, getpid());
		CHECK_U64(core_witness_stretch(&w, start, end, &sound), start + PIECE);
		CHECK(sound);
		CHECK_U64(core_witness_stretch(&w, start + PIECE, end, &sound), start + 2 * PIECE);
		CHECK(!sound);
		CHECK_U64(core_witness_stretch(&w, start + 2 * PIECE, end - 4096, &sound), end - 4096);
		CHECK(sound);
	}
	core_witness_deinit(&w);
}

int main(void)
{
	touch_all();
	one_of_each_piece();
	given_back();
	return check_exit();
}
