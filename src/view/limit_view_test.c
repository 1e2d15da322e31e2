#include "base/check.h"
#include "base/cleanup.h"
#include "view/limit_view.h"

/* A host of a few files: overcommit off, swap nearly gone, a full conntrack table, one user with two
 * processes, one of which is held to 10 descriptors. */
static const struct {
	const char *key, *text;
} files[] = {
	{ "/proc/sys/fs/file-nr", "900\t0\t1000\n" },
	{ "/proc/loadavg", "0.10 0.20 0.30 1/250 4000\n" },
	{ "/proc/sys/kernel/threads-max", "1000\n" },
	{ "/proc/sys/kernel/pid_max", "500\n" },
	{ "/proc/sys/net/netfilter/nf_conntrack_count", "262144\n" },
	{ "/proc/sys/net/netfilter/nf_conntrack_max", "262144\n" },
	{ "/proc/meminfo", "MemTotal: 1000 kB\nSwapTotal: 1000 kB\nSwapFree: 50 kB\nCommitLimit: 2000 kB\nCommitted_AS: 1500 kB\n" },
	{ "/proc/sys/vm/overcommit_memory", "2\n" },
	{ "page_bytes", "4096" },
	{ "/proc/net/sockstat", "TCP: inuse 4 orphan 3 tw 0 alloc 4 mem 50\nUDP: inuse 0 mem 0\n" },
	{ "/proc/sys/net/ipv4/tcp_mem", "10 20 100\n" },
	{ "/proc/sys/net/ipv4/tcp_max_orphans", "6\n" },
	{ "/proc/sys/net/ipv4/ip_local_port_range", "32768\t32777\n" },
	{ "/proc/net/tcp", "h\n 0: 0100007F:8000 0200000A:1538 01 x\n 1: 0100007F:8001 0200000A:1538 01 x\n" },
	{ "/proc/key-users", " 1000: 1 1/1 190/200 9/20000\n" },
	{ "/etc/passwd", "ann:x:1000:1000::/:/bin/sh\n" },
	{ "list:/proc", "7\n8\nnet\n" },
	{ "/proc/7/status", "Name:\tal\\npha\nState:\tS\nUid:\t1000\t1000\t1000\t1000\nVmSize:\t500 kB\nVmData:\t10 kB\nVmStk:\t100 kB\n"
			    "Threads:\t3\nSigQ:\t1/4\nCapEff:\t0000000000000000\n" },
	{ "/proc/7/limits", "Max open files  10 20 files\nMax processes 8 9 processes\nMax stack size 204800 unlimited bytes\n"
			    "Max address space unlimited unlimited bytes\n" },
	{ "fdcount:7", "9" },
	{ "map_count:7", "60" },
	{ "/proc/8/status", "Name:\tbeta\nState:\tS\nUid:\t1000\t1000\t1000\t1000\nVmSize:\t500 kB\nThreads:\t1\nSigQ:\t1/4\n"
			    "CapEff:\t0000000000000000\n" },
	{ "/proc/8/limits", "Max open files  unlimited unlimited files\nMax processes 100 100 processes\n" },
	{ "map_count:8", "70" },
	{ "/proc/sys/vm/max_map_count", "100\n" },
	{ "user_inotify", "1\n1000 12 30\n" },
	{ "/proc/sys/fs/inotify/max_user_instances", "128\n" },
};

static struct host *make_host(void)
{
	struct buf text = { 0 };
	struct host *h = NULL;

	CHECK(buf_printf(&text, "osprey-capture 1\ntick 1 1 1\n") == 0);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		CHECK(buf_printf(&text, "have %zu %s\n%s\n", strlen(files[i].text), files[i].key, files[i].text) == 0);
	CHECK(host_open_capture_text(&text, &h, NULL) == 0);
	return h;
}

static const void *row_of(const row_vec *rows, const char *name, const char *scope)
{
	const struct column *names = entity_column(view_limits.sections[0].entity, SPAN("limit"));
	const struct column *scopes = entity_column(view_limits.sections[0].entity, SPAN("scope"));

	vec_each(row, rows)
		if (span_is(names->get(*row).text, name) && (!scope || span_is(scopes->get(*row).text, scope)))
			return *row;
	return NULL;
}

static double number(const void *row, const char *column)
{
	struct cell cell = entity_column(view_limits.sections[0].entity, span_from(column))->get(row);

	return cell_number(&cell);
}

static void check_row(const row_vec *rows, const char *name, const char *scope, double used, double limit)
{
	const void *row = row_of(rows, name, scope);

	check_count++;
	if (!row) {
		check_failures++;
		fprintf(stderr, "no row %s of %s\n", name, scope ? scope : "any");
		return;
	}
	CHECK_NEAR(number(row, "used"), used, 0.5);
	CHECK_NEAR(number(row, "limit_value"), limit, 0.5);
	CHECK_NEAR(number(row, "used_pct"), 100 * used / limit, 0.01);
}

int main(void)
{
	struct host *h = make_host();
	struct limit_view_options options = { .all = false, .above_pct = 50 };
	struct view_wanted wanted = { 0 };
	row_vec rows = { 0 };
	struct note note;
	void *state;
	char gaps[160];

	CHECK(view_limits.open(h, &wanted, &options, &state, &note) == 0);
	for (int look = 0; look < 2; look++) {
		rows.n = 0;
		CHECK(view_limits.look(state, &note) == 0);
		CHECK(view_limits.sections[0].rows(state, &rows) == 0);
		check_row(&rows, "open files", "system", 900, 1000);
		check_row(&rows, "threads", "system", 250, 1000);
		check_row(&rows, "pids", "system", 250, 500);
		check_row(&rows, "conntrack", "system", 262144, 262144);
		check_row(&rows, "swap", "system", 950 * 1024, 1000 * 1024);
		check_row(&rows, "committed memory", "system", 1500 * 1024, 2000 * 1024);
		check_row(&rows, "TCP memory", "system", 50 * 4096, 100 * 4096);
		check_row(&rows, "TCP orphans", "system", 3, 6);
		check_row(&rows, "local ports", "system, to 10.0.0.2:5432", 2, 10);
		check_row(&rows, "max_map_count", "the most: 8 beta", 70, 100);
		check_row(&rows, "kernel keys", "user ann", 190, 200);
		check_row(&rows, "nproc", "user ann", 4, 8); /* the lowest limit of its processes */
		check_row(&rows, "sigpending", "user ann", 1, 4);
		check_row(&rows, "inotify instances", "user ann", 12, 128);
		check_row(&rows, "nofile", "7 al\\npha", 9, 10);
		check_row(&rows, "stack", "7 al\\npha", 100 * 1024, 204800);
	}
	CHECK(row_of(&rows, "as", NULL) == NULL);	      /* not limited */
	CHECK(row_of(&rows, "nofile", "8 beta") == NULL);     /* neither */
	CHECK(row_of(&rows, "UDP memory", NULL) == NULL);     /* this host has no such file */
	CHECK(row_of(&rows, "SysV segments", NULL) == NULL);
	CHECK(limit_row_near(row_of(&rows, "nofile", "7 al\\npha"), &options));
	CHECK(limit_row_near(row_of(&rows, "threads", NULL), &options)); /* of the host: always */
	CHECK(!limit_row_near(row_of(&rows, "inotify instances", NULL), &options));
	limit_view_gaps(state, gaps, sizeof gaps);
	CHECK_STR(gaps, "");
	vec_free(&rows);
	view_limits.close(state);
	host_free(h);
	return check_exit();
}
