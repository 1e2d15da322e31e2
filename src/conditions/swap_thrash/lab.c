/* A process works on twice the memory that its cgroup may have; the rest is in swap (compressed
 * memory, so that no disk is worn), and every page that comes in pushes another out. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conditions/conditions.h"
#include "lab/scenario.h"

#define MIB (UINT64_C(1) << 20)
#define LIMIT_BYTES (64 * MIB)

static int set_up(struct lab *lab, struct note *note)
{
	char group[256];
	int r = lab_zram_swap(lab, 256 * MIB, note);

	if (r == 0)
		r = lab_cgroup(lab, CGROUP_MEMORY, group, sizeof group, note);
	if (r == 0)
		r = lab_cgroup_memory_limit(lab, LIMIT_BYTES, note);
	if (r == 0)
		lab_label_name(lab, ACTOR_CGROUP, group);
	return r;
}

/* Pages that differ compress to different sizes; all of one byte would not reach the device. */
static void fill(unsigned char *page, size_t bytes, uint64_t seed)
{
	for (size_t i = 0; i + 8 <= bytes; i += 64) {
		seed = seed * 6364136223846793005 + 1442695040888963407;
		*(uint64_t *)(void *)(page + i) = seed;
	}
}

static int work_on_too_much(struct lab *lab, void *arg)
{
	const size_t bytes = lab_pick(lab, 72, 120, 160) * MIB, page = (size_t)sysconf(_SC_PAGESIZE);
	int r = lab_cgroup_enter(lab, NULL);

	(void)arg;
	if (r < 0)
		return r;
	unsigned char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	(void)!madvise(memory, bytes, MADV_NOHUGEPAGE);
	for (uint64_t i = 0; i < bytes / page; i++)
		fill(memory + i * page, page, i);
	/* Round and round: what is wanted next is what went out longest ago. In random order every
	 * page counts as hot, and the kernel at times finds none to push out and kills. */
	for (uint64_t i = 0;; i++) {
		memory[i % (bytes / page) * page]++;
		if (i % 64 == 0)
			usleep(500);
	}
}

static int run(struct lab *lab, struct note *note)
{
	pid_t pid = lab_spawn(lab, "swap_hungry", work_on_too_much, NULL);

	if (pid < 0)
		return note_set(note, pid, "cannot start the worker");
	sleep(1); /* until its memory is filled once */
	lab_ready(lab);
	return 0;
}

static bool moved(const struct window *w, struct note *note)
{
	double in = reading_value(WINDOW_DELTA(w, vmstat.swap_in));
	double out = reading_value(WINDOW_DELTA(w, vmstat.swap_out));

	note_set(note, 0, "%.0f pages were swapped in and %.0f out", in, out);
	return in > 100 * w->seconds && out > 100 * w->seconds;
}

const struct scenario swap_thrash_scenario = {
	.name = "swap_thrash",
	.summary = "a process works on more memory than its cgroup may have, the rest is in compressed swap",
	.moves = "pswpin, pswpout, workingset_refault_anon",
	.needs = LAB_MEMORY_CGROUP | LAB_ZRAM,
	.memory_bytes = 384 << 20,
	.processes = 4,
	.set_up = set_up,
	.run = run,
	.moved = moved,
};
