#include "view/memory_view.h"

#include "base/check.h"
#include "base/cleanup.h"

static int have(struct buf *b, const char *key, const char *text)
{
	return buf_printf(b, "have %zu %s\n%s\n", strlen(text), key, text);
}

static double number(const struct entity *e, const char *column, const void *row)
{
	struct cell c = entity_column(e, span_from(column))->get(row);

	return cell_number(&c);
}

static int rows_of(void *state, const char *section, row_vec *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < view_memory.nsections; i++)
		if (strcmp(view_memory.sections[i].name, section) == 0)
			return view_memory.sections[i].rows(state, ret);
	fprintf(stderr, "no section %s\n", section);
	exit(1);
}

static void want_all(struct view_wanted *wanted)
{
	for (size_t i = 0; i < view_memory.nsections; i++) {
		const struct column **place = vec_push(&wanted->columns);

		CHECK(place != NULL);
		*place = view_memory.sections[i].entity->columns;
	}
}

static const char meminfo[] =
	"MemTotal: 1000000 kB\nMemFree: 200000 kB\nMemAvailable: 500000 kB\nBuffers: 10000 kB\nCached: 300000 kB\n"
	"SwapTotal: 100000 kB\nSwapFree: 25000 kB\nAnonPages: 250000 kB\nShmem: 50000 kB\nSReclaimable: 40000 kB\n"
	"SUnreclaim: 30000 kB\nKernelStack: 8000 kB\nPageTables: 9000 kB\nVmallocUsed: 20000 kB\nPercpu: 1000 kB\n"
	"Hugetlb: 0 kB\n";

static int first_look(struct buf *b)
{
	int r = buf_printf(b, "osprey-capture 1\ntick 1000000000 100000000000 5\nhave 6 page_bytes\n65536\n\n");

	r = r < 0 ? r : have(b, "/proc/meminfo", meminfo);
	r = r < 0 ? r : have(b, "/proc/vmstat", 
				"nr_zspages 16\npgpgin 5000\npswpin 100\nallocstall_normal 3\npgfault 1000\noom_kill 2\n");
	r = r < 0 ? r : have(b, "/proc/pressure/memory", "some avg10=0.00 total=1000000\nfull avg10=0.00 total=500000\n");
	r = r < 0 ? r : have(b, "/proc/zoneinfo",
			     "Node 0, zone  Normal\n  pages free 500\n  min 100\n  low 200\n  high 300\n  managed 9000\n"
			     "Node 1, zone  Normal\n  pages free 150\n  min 100\n  low 200\n  high 300\n  managed 9000\n"
			     "Node 1, zone  Movable\n  pages free 0\n  min 0\n  low 0\n  high 0\n  managed 0\n");
	return r < 0 ? r : have(b, "/proc/buddyinfo", "Node 1, zone Normal 50 50\n");
}

static int second_look(struct buf *b)
{
	int r = buf_printf(b, "tick 5000000000 104000000000 9\n");

	r = r < 0 ? r : have(b, "/proc/meminfo", meminfo);
	r = r < 0 ? r : have(b, "/proc/vmstat", 
				"nr_zspages 16\npgpgin 5400\npswpin 180\nallocstall_normal 11\npgfault 900\noom_kill 3\n");
	return r < 0 ? r : have(b, "/proc/pressure/memory", "some avg10=0.00 total=2000000\nfull avg10=0.00 total=500000\n");
}

static void check_first(void *state, row_vec *rows)
{
	const uint64_t kib = 1024;
	double sum = 0;

	CHECK(rows_of(state, "memory", rows) == 0 && rows->n == 1);
	CHECK_NEAR(number(&entity_memory, "used_bytes", rows->v[0]), 500000 * kib, 0);
	CHECK_NEAR(number(&entity_memory, "cache_bytes", rows->v[0]), 350000 * kib, 0);
	CHECK_NEAR(number(&entity_memory, "file_cache_bytes", rows->v[0]), 250000 * kib, 0);
	CHECK_NEAR(number(&entity_memory, "swap_used_bytes", rows->v[0]), 75000 * kib, 0);
	CHECK_NEAR(number(&entity_memory, "zsmalloc_bytes", rows->v[0]), 16 * 65536, 0);
	CHECK_NEAR(number(&entity_memory, "memory_some_pct", rows->v[0]), 1, 1e-9); /* 1 s of 100 s */
	CHECK(isnan(number(&entity_memory, "mlocked_bytes", rows->v[0])));
	CHECK(rows_of(state, "parts", rows) == 0);
	for (size_t i = 0; i < rows->n; i++) {
		const struct memory_part *part = rows->v[i];

		sum += (double)part->bytes;
		if (strcmp(part->name, "vmalloc") == 0) /* without the stacks */
			CHECK_U64(part->bytes, 12000 * kib);
	}
	CHECK_NEAR(sum, 1000000 * kib, 0);
	CHECK(rows_of(state, "zones", rows) == 0);
	CHECK_U64(rows->n, 2); /* a zone that manages nothing is none */
	CHECK_STR(zone_state(rows->v[0]), "fine");
	CHECK_STR(zone_state(rows->v[1]), "below low");
	CHECK_NEAR(number(&entity_zone, "free_bytes", rows->v[1]), 150 * 65536, 0);
	struct memory_overview o = memory_overview(state);
	CHECK(o.nearest == rows->v[1]);
	CHECK(rows_of(state, "free", rows) == 0 && rows->n == 2);
	CHECK_NEAR(number(&entity_free_block, "unusable_pct", rows->v[1]), 100 * 50.0 / 150, 1e-9);
}

static void check_second(void *state, row_vec *rows)
{
	CHECK(rows_of(state, "vm", rows) == 0 && rows->n == 1);
	CHECK_NEAR(number(&entity_vm, "swap_in_bytes_per_s", rows->v[0]), 80 * 65536 / 4.0, 0);
	CHECK_NEAR(number(&entity_vm, "in_bytes_per_s", rows->v[0]), 400 * 1024 / 4.0, 0);
	CHECK_NEAR(number(&entity_vm, "alloc_stalls_per_s", rows->v[0]), 2, 1e-9);
	CHECK_NEAR(number(&entity_vm, "oom_kills", rows->v[0]), 1, 0);
	CHECK_NEAR(number(&entity_vm, "memory_some_pct", rows->v[0]), 25, 1e-9);
	CHECK_NEAR(number(&entity_vm, "memory_full_pct", rows->v[0]), 0, 0);
	CHECK(isnan(number(&entity_vm, "faults_per_s", rows->v[0]))); /* ran backwards: no number */
	CHECK(isnan(number(&entity_vm, "refault_file_per_s", rows->v[0])));
	CHECK(rows_of(state, "zones", rows) == 0 && rows->n == 0); /* not told any more */
	CHECK_STR(memory_overview(state).no_zones, "the capture does not hold it");
}

int main(void)
{
	struct buf capture = { 0 };
	struct view_wanted wanted = { 0 };
	struct host *h = NULL;
	row_vec rows = { 0 };
	void *state = NULL;

	want_all(&wanted);
	CHECK(first_look(&capture) == 0 && second_look(&capture) == 0);
	CHECK(host_open_capture_text(&capture, &h, NULL) == 0);
	CHECK(view_memory.open(h, &wanted, NULL, &state, NULL) == 0);
	CHECK(view_memory.look(state, NULL) == 0);
	check_first(state, &rows);
	CHECK(host_tick(h, 0) == 0 && view_memory.look(state, NULL) == 0);
	check_second(state, &rows);
	view_memory.close(state);
	host_free(h);
	vec_free(&rows);
	vec_free(&wanted.columns);
	buf_deinit(&capture);
	return check_exit();
}
