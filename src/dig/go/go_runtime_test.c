/* Versions and build information. With arguments it is the other half of tests/dig/goroutines.sh and
 * bench/goroutines.sh:
 *
 *   go_runtime_test PID [quiet]     the goroutines of a process: "goroutine ID [state, reason]", then its frames
 */
#include "dig/go/go_runtime.h"

#include <errno.h>
#include <time.h>

#include "base/check.h"
#include "dig/symbol/symbol.h"

static void print_frames(const struct go_runtime *r, struct symbolizer *names, const struct goroutines *all,
			 const struct goroutine *g)
{
	for (size_t i = 0; i < g->nframes; i++) {
		const struct unwind_frame *f = &all->frame.v[g->first + i];
		const struct symbol *s;
		size_t n;

		CHECK(symbolize(names, r->space, f->pc, f->exact, &s, &n) == 0);
		for (size_t k = 0; k < n; k++)
			printf("%s %s:%u\n", s[k].function, s[k].file ? s[k].file : "?", s[k].line);
	}
	if (g->created_pc)
		printf("created by %s\n", go_function_name(r, g->created_pc));
}

static void print_all(const struct go_runtime *r, const struct goroutines *all)
{
	struct symbolizer *names = NULL;

	if (symbolizer_new(NULL, &names) < 0)
		return;
	vec_each(g, &all->goroutine)
	{
		printf("goroutine %llu [%s]%s%s end %d\n", (unsigned long long)g->id,
		       g->wait_reason[0] ? g->wait_reason : go_status_words(g->status), g->system ? " system" : "",
		       g->torn ? " torn" : "", g->nframes ? (int)g->end : 0);
		print_frames(r, names, all, g);
		putchar('\n');
	}
	symbolizer_free(names);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int look(int pid, bool quiet)
{
	struct image_store *store = NULL;
	struct address_space *a = NULL;
	struct go_runtime *r = NULL;
	struct goroutines all = { 0 };
	struct note note = { 0 };
	double start = now_ms(), found = 0;
	int rc = image_store_new(&store);

	if (rc == 0)
		rc = address_space_of_process(store, pid, &a, &note);
	if (rc == 0)
		rc = go_runtime_find(a, &r, &note);
	found = now_ms();
	if (rc == 0)
		rc = go_goroutines_read(r, &all, &note);
	if (rc < 0)
		fprintf(stderr, "%s: %s\n", strerror(-rc), note.text);
	else if (quiet)
		printf("%s: %zu goroutines, %zu frames, %zu torn, %zu unread; found in %.2f ms, read in %.2f ms\n",
		       r->version, all.goroutine.n, all.frame.n, all.torn, all.unread, found - start, now_ms() - found);
	else
		print_all(r, &all);
	goroutines_deinit(&all);
	go_runtime_free(r);
	address_space_free(a);
	image_store_free(store);
	return rc < 0;
}

static void versions(void)
{
	static const char section[] = "\xff Go buildinf:\x08\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x08go1.19.8";
	char version[64] = "";

	CHECK_U64(go_version_minor(SPAN("go1.19.8")), 19);
	CHECK_U64(go_version_minor(SPAN("devel go1.24-abcdef Tue")), 24);
	CHECK_U64(go_version_minor(SPAN("go1.")), 0);
	CHECK_U64(go_version_minor(SPAN("")), 0);
	CHECK(go_build_info_parse((struct span){ section, sizeof section - 1 }, version, sizeof version));
	CHECK_STR(version, "go1.19.8");
	for (size_t n = 0; n < sizeof section - 1; n++)
		CHECK(!go_build_info_parse((struct span){ section, n }, version, sizeof version));
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return look(atoi(argv[1]), argc > 2);
	versions();
	return check_exit();
}
