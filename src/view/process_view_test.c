#include "view/process_view.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

static struct host *h;

static struct process_row *find(struct process_table *t, int pid)
{
	vec_each(row, process_table_rows(t))
		if (row->tid == pid)
			return row;
	return NULL;
}

static void burn(unsigned ms)
{
	uint64_t until = clock_cpu_ns() + ms * NS_PER_MS;

	while (clock_cpu_ns() < until)
		;
}

/* We ourselves, by each reader: growth is that between two looks, and what is told of us is so. */
static void check_self(bool no_bpf)
{
	struct process_table *t = NULL;
	struct note note = { "" };

	CHECK(process_table_new(h, &(struct process_table_options){ .no_bpf = no_bpf }, &t, &note) == 0);
	if (!t)
		return;
	CHECK(host_tick(h, 0) == 0);
	CHECK(process_table_look(t) == 0);
	struct process_row *row = find(t, getpid());
	CHECK(row && row->ppid == getppid() && row->uid == geteuid());
	uint64_t before = row ? reading_or(row->total.user_ns, 0) + reading_or(row->total.system_ns, 0) : 0;
	CHECK(row && row->seconds > 0 && row->growth.user_ns == row->total.user_ns);
	burn(50);
	CHECK(host_tick(h, 0) == 0);
	CHECK(process_table_look(t) == 0);
	row = find(t, getpid());
	CHECK(row != NULL);
	if (row) {
		uint64_t after = row->total.user_ns + row->total.system_ns;

		CHECK(after - before >= 50 * NS_PER_MS);
		CHECK(row->growth.user_ns + row->growth.system_ns == after - before);
		CHECK(process_row_cpu_pct(row) > 1);
		CHECK(process_row_command(row).n > 0);
		CHECK(process_row_fits(row, "process_view_TEST") && !process_row_fits(row, "no such thing"));
		char pid[16];
		snprintf(pid, sizeof pid, "%d", getpid());
		CHECK(process_row_fits(row, pid) && !process_row_fits(row, "999999999"));
	}
	process_table_free(t);
}

/* Who was born between two looks grows from nothing; who died is gone. */
static void check_births(void)
{
	struct process_table *t = NULL;
	int ready[2];
	char c;

	CHECK(process_table_new(h, &(struct process_table_options){ 0 }, &t, NULL) == 0);
	CHECK(host_tick(h, 0) == 0);
	CHECK(process_table_look(t) == 0);
	CHECK(pipe(ready) == 0);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		burn(30);
		(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	CHECK(read(ready[0], &c, 1) == 1);
	CHECK(host_tick(h, 0) == 0);
	CHECK(process_table_look(t) == 0);
	struct process_row *row = find(t, child);
	CHECK(row && row->growth.user_ns + row->growth.system_ns >= 30 * NS_PER_MS);
	CHECK(row && row->growth.user_ns == row->total.user_ns);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	CHECK(host_tick(h, 0) == 0);
	CHECK(process_table_look(t) == 0);
	CHECK(!find(t, child));
	close(ready[0]);
	close(ready[1]);
	process_table_free(t);
}

/* ---- the tree, of rows made here ---- */

struct family {
	int pid, ppid;
	uint64_t start_ns;
};

static void tree(const struct family *family, size_t n, const char *wanted)
{
	struct process_table *t = NULL;
	process_row_vec store = { 0 };
	row_vec rows = { 0 };
	char text[512] = "";

	CHECK(process_table_new(h, &(struct process_table_options){ .no_bpf = true }, &t, NULL) == 0);
	for (size_t i = 0; i < n; i++) {
		struct process_row *row = vec_push(&store);

		row->table = t;
		row->pid = row->tid = family[i].pid;
		row->ppid = family[i].ppid;
		row->start_ns = family[i].start_ns;
		row->branch = "";
	}
	vec_each(row, &store)
		CHECK(row_push(&rows, row) == 0);
	CHECK(process_rows_tree(&rows, false) == 0);
	CHECK_U64(rows.n, n);
	vec_each(at, &rows) {
		const struct process_row *row = *at;
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d\n", row->branch, row->pid);
	}
	if (wanted)
		CHECK_STR(text, wanted);
	vec_free(&rows);
	vec_free(&store);
	process_table_free(t);
}

static void check_tree(void)
{
	static const struct family plain[] = { { 1, 0, 1 }, { 2, 1, 2 }, { 3, 2, 3 }, { 4, 2, 4 }, { 5, 1, 5 }, { 6, 5, 6 }, { 9, 77, 9 } };
	static const struct family reused[] = { { 8, 7, 5 }, { 7, 8, 9 } }; /* 7 was used again: it is younger than its child */
	static const struct family self[] = { { 4, 4, 1 } };
	struct family chain[500];

	tree(plain, 7, "1\n|- 2\n|  |- 3\n|  `- 4\n`- 5\n   `- 6\n9\n");
	tree(reused, 2, "8\n`- 7\n");
	tree(self, 1, "4\n");
	for (int i = 0; i < 500; i++)
		chain[i] = (struct family){ 500 - i, 499 - i, (uint64_t)(500 - i) };
	tree(chain, 500, NULL);
}

int main(void)
{
	CHECK(host_open_live("/", &h, NULL) == 0);
	check_self(true);
	check_self(false);
	check_births();
	check_tree();
	host_free(h);
	return check_exit();
}
