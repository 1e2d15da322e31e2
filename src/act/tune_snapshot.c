#include "act/tune_snapshot.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bounded.h"
#include "base/clock.h"
#include "base/vec.h"
#include "source/network/softnet.h"

/* ---- parsers ---- */

static bool is_name(struct span word, const char *name)
{
	if (word.n > 0 && word.p[word.n - 1] == ':')
		word.n--;
	return span_is(word, name);
}

static reading number_of(struct span line)
{
	struct span word, unit;
	uint64_t n;

	if (!span_word(&line, &word) || !span_u64(word, &n))
		return READING_MALFORMED;
	if (span_word(&line, &unit) && span_is(unit, "kB") && __builtin_mul_overflow(n, 1024, &n))
		return READING_MALFORMED;
	return n < READING_MALFORMED ? n : READING_MALFORMED;
}

reading named_value(struct span text, const char *name)
{
	struct span line, word;

	while (span_line(&text, &line))
		if (span_word(&line, &word) && is_name(word, name))
			return number_of(line);
	return READING_ABSENT;
}

reading named_sum(struct span text, const char *prefix)
{
	struct span line, word;
	reading sum = READING_ABSENT;

	while (span_line(&text, &line)) {
		if (!span_word(&line, &word) || !span_starts(word, prefix))
			continue;
		reading one = number_of(line);
		if (!reading_ok(one))
			return one;
		sum = sum == READING_ABSENT ? one : sum + one;
		if (!reading_ok(sum))
			return READING_MALFORMED;
	}
	return sum;
}

reading paired_value(struct span text, const char *group, const char *name)
{
	struct span names, values, head, word, value;

	while (span_line(&text, &names)) {
		if (!span_word(&names, &head) || !is_name(head, group))
			continue;
		if (!span_line(&text, &values) || !span_word(&values, &head) || !is_name(head, group))
			return READING_MALFORMED;
		while (span_word(&names, &word)) {
			uint64_t n;

			if (!span_word(&values, &value))
				return READING_MALFORMED;
			if (span_is(word, name))
				return span_u64(value, &n) && n < READING_MALFORMED ? n : READING_MALFORMED;
		}
	}
	return READING_ABSENT;
}

reading worded_value(struct span text, const char *group, const char *wanted)
{
	struct span line, word;

	while (span_line(&text, &line)) {
		if (!span_word(&line, &word) || !is_name(word, group))
			continue;
		while (span_word(&line, &word))
			if (span_is(word, wanted))
				return number_of(line);
	}
	return READING_ABSENT;
}

static bool column_of(struct span head, const char *name, size_t *ret)
{
	struct span word;

	for (size_t i = 0; span_word(&head, &word); i++)
		if (span_is(word, name)) {
			*ret = i;
			return true;
		}
	return false;
}

reading column_value(struct span text, const char *name, bool same)
{
	struct span line, word;
	reading sum = READING_ABSENT;
	size_t column;

	if (!span_line(&text, &line) || !column_of(line, name, &column))
		return READING_ABSENT;
	while (span_line(&text, &line)) {
		uint64_t n;

		for (size_t i = 0; i <= column; i++)
			if (!span_word(&line, &word))
				return READING_MALFORMED;
		if (!span_hex(word, &n) || n >= READING_MALFORMED)
			return READING_MALFORMED;
		if (same)
			return n;
		sum = sum == READING_ABSENT ? n : sum + n;
		if (!reading_ok(sum))
			return READING_MALFORMED;
	}
	return sum;
}

void inotify_use_parse(struct span text, struct inotify_use *ret_instances, struct inotify_use *ret_watches)
{
	struct span line;

	*ret_instances = *ret_watches = (struct inotify_use){ 0, READING_ABSENT, READING_ABSENT };
	while (span_line(&text, &line)) {
		uint64_t uid, instances, watches;

		if (!span_next_u64(&line, &uid) || uid > UINT32_MAX || !span_next_u64(&line, &instances) ||
		    !span_next_u64(&line, &watches) || instances >= READING_MALFORMED || watches >= READING_MALFORMED)
			continue;
		struct inotify_use use = { (uint32_t)uid, instances, watches };
		if (!reading_ok(ret_instances->instances) || instances > ret_instances->instances)
			*ret_instances = use;
		if (!reading_ok(ret_watches->watches) || watches > ret_watches->watches)
			*ret_watches = use;
	}
}

/* ---- reading ---- */

/* The text of a file, or why there is none; the file's readings then all tell that. */
static reading file_text(struct host *h, const char *path, struct buf *scratch)
{
	int r = host_read(h, path, scratch);

	return r < 0 ? reading_from_errno(r) : 0;
}

static reading file_number(struct host *h, const char *path, struct buf *scratch)
{
	reading why = file_text(h, path, scratch);
	uint64_t n;

	if (why)
		return why;
	return span_u64(span_trim(buf_span(scratch)), &n) && n < READING_MALFORMED ? n : READING_MALFORMED;
}

static void read_vmstat(struct host *h, struct buf *scratch, struct tune_snapshot *ret)
{
	reading why = file_text(h, "/proc/vmstat", scratch);
	struct span text = buf_span(scratch);

#define X(member, name) ret->member = why ? why : named_value(text, name);
	TUNE_VMSTAT(X)
#undef X
	ret->alloc_stalls = why ? why : named_sum(text, "allocstall");
}

static void read_meminfo(struct host *h, struct buf *scratch, struct tune_snapshot *ret)
{
	reading why = file_text(h, "/proc/meminfo", scratch);
	struct span text = buf_span(scratch);

	ret->anon_huge_bytes = why ? why : named_value(text, "AnonHugePages");
	ret->huge_page_bytes = why ? why : named_value(text, "Hugepagesize");
	ret->huge_reserved = why ? why : named_value(text, "HugePages_Rsvd");
}

static reading in_either(struct span netstat, struct span snmp, const char *group, const char *name)
{
	return paired_value(strcmp(group, "TcpExt") == 0 ? netstat : snmp, group, name);
}

static void read_netstat(struct host *h, struct buf *scratch, struct tune_snapshot *ret)
{
	struct buf snmp = { 0 };
	reading why = file_text(h, "/proc/net/netstat", scratch);
	reading why_snmp = file_text(h, "/proc/net/snmp", &snmp);
	struct span text = buf_span(scratch), other = buf_span(&snmp);

#define X(member, group, name)                                                                  \
	ret->member = in_either(text, other, group, name);                                      \
	if (strcmp(group, "TcpExt") == 0 ? why : why_snmp)                                      \
		ret->member = strcmp(group, "TcpExt") == 0 ? why : why_snmp;
	TUNE_NETSTAT(X)
#undef X
	buf_deinit(&snmp);
	why = file_text(h, "/proc/net/sockstat", scratch);
	ret->udp_memory_pages = why ? why : worded_value(buf_span(scratch), "UDP", "mem");
}

static void read_softnet(struct host *h, struct buf *scratch, struct tune_snapshot *ret)
{
	softnet_vec cpus = { 0 };
	reading why = file_text(h, "/proc/net/softnet_stat", scratch);

	if (why == 0 && softnet_parse(buf_span(scratch), &cpus) < 0)
		why = READING_MALFORMED;
	ret->backlog_packets = ret->backlog_drops = ret->squeezes = why;
	vec_each(c, &cpus) {
		ret->backlog_packets = reading_sum(ret->backlog_packets, c->processed);
		ret->backlog_drops = reading_sum(ret->backlog_drops, c->dropped);
		ret->squeezes = reading_sum(ret->squeezes, c->time_squeeze);
	}
	vec_free(&cpus);
}

static void read_tables(struct host *h, struct buf *scratch, struct tune_snapshot *ret)
{
	reading why = file_text(h, "/proc/net/stat/nf_conntrack", scratch);
	struct span text = buf_span(scratch);

	ret->conntrack_drops = why ? why : column_value(text, "drop", false);
	ret->conntrack_early_drops = why ? why : column_value(text, "early_drop", false);
	ret->conntrack_count = file_number(h, "/proc/sys/net/netfilter/nf_conntrack_count", scratch);
	ret->conntrack_buckets = file_number(h, "/proc/sys/net/netfilter/nf_conntrack_buckets", scratch);
	why = file_text(h, "/proc/net/stat/arp_cache", scratch);
	text = buf_span(scratch);
	ret->neighbours = why ? why : column_value(text, "entries", true);
	ret->neighbour_overflows = why ? why : column_value(text, "table_fulls", false);
	ret->gc_thresh1 = file_number(h, "/proc/sys/net/ipv4/neigh/default/gc_thresh1", scratch);
	ret->gc_thresh2 = file_number(h, "/proc/sys/net/ipv4/neigh/default/gc_thresh2", scratch);
}

/* "0.1 0.2 0.3 2/345 678": the number behind the slash. */
static reading read_threads(struct host *h, struct buf *scratch)
{
	reading why = file_text(h, "/proc/loadavg", scratch);
	struct span text = buf_span(scratch), before;
	uint64_t n;

	if (why)
		return why;
	return span_until(&text, '/', &before) && span_next_u64(&text, &n) && n < READING_MALFORMED ?
		       n : READING_MALFORMED;
}

void tune_snapshot_read(struct host *h, struct buf *scratch, struct tune_snapshot *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->at = host_time(h);
	read_vmstat(h, scratch, ret);
	read_meminfo(h, scratch, ret);
	read_netstat(h, scratch, ret);
	read_softnet(h, scratch, ret);
	read_tables(h, scratch, ret);
	ret->threads = read_threads(h, scratch);
	ret->aio_requests = file_number(h, "/proc/sys/fs/aio-nr", scratch);
	ret->orphans_max = file_number(h, "/proc/sys/net/ipv4/tcp_max_orphans", scratch);
	ret->panic_seconds = file_number(h, "/proc/sys/kernel/panic", scratch);
	ret->forwarding = file_number(h, "/proc/sys/net/ipv4/ip_forward", scratch);
	if (file_text(h, "/proc/sys/net/ipv4/tcp_available_congestion_control", scratch) == 0)
		span_copy(span_trim(buf_span(scratch)), ret->congestion_available, sizeof ret->congestion_available);
}

/* ---- inotify ---- */

#define INOTIFY_WALK_NS (300 * NS_PER_MS)

struct user_use {
	uint32_t uid;
	uint64_t instances, watches;
};
typedef VEC(struct user_use) user_use_vec;

static struct user_use *use_of(user_use_vec *users, uint32_t uid)
{
	vec_each(u, users)
		if (u->uid == uid)
			return u;
	struct user_use *u = vec_push(users);
	if (u)
		u->uid = uid;
	return u;
}

/* Lines "inotify wd:…" of an fdinfo, counted as they stream by: there may be a million. */
static uint64_t count_lines(int dir, const char *path, const char *prefix)
{
	char text[65536];
	size_t matched = 0, wanted = strlen(prefix);
	uint64_t lines = 0;
	bool matching = true;
	ssize_t n;
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && (n = read(fd, text, sizeof text)) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] == '\n') {
				lines += matching && matched == wanted;
				matching = true;
				matched = 0;
			} else if (matching && matched < wanted) {
				matching = text[i] == prefix[matched++];
			}
		}
	if (fd >= 0)
		close(fd);
	return lines;
}

static void count_descriptors(int proc, const char *pid, user_use_vec *users)
{
	char path[64], link[64];
	struct stat st;

	snprintf(path, sizeof path, "%.20s/fd", pid);
	int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	struct user_use *u = NULL;
	for (struct dirent *e; (e = readdir(dir));) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof link - 1);

		if (n < 0)
			continue;
		link[n] = '\0';
		if (strcmp(link, "anon_inode:inotify") != 0 || fstat(dirfd(dir), &st) < 0)
			continue;
		if (!u)
			u = use_of(users, st.st_uid);
		snprintf(path, sizeof path, "%.20s/fdinfo/%.20s", pid, e->d_name);
		if (u) {
			u->instances++;
			u->watches += count_lines(proc, path, "inotify wd:");
		}
	}
	closedir(dir);
}

static int walk_inotify(struct host *h, const char *key, void *arg, struct buf *ret)
{
	user_use_vec users = { 0 };
	uint64_t end = clock_mono_ns() + INOTIFY_WALK_NS;
	int proc = openat(host_root_fd(h), "proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = proc < 0 ? NULL : fdopendir(dup(proc));

	(void)key;
	(void)arg;
	if (!dir) {
		r = -errno;
		if (proc >= 0)
			close(proc);
		return r;
	}
	for (struct dirent *e; (e = readdir(dir)) && clock_mono_ns() < end;)
		if (isdigit((unsigned char)e->d_name[0]))
			count_descriptors(proc, e->d_name, &users);
	closedir(dir);
	close(proc);
	vec_each(u, &users)
		if (r == 0)
			r = buf_printf(ret, "%u %llu %llu\n", u->uid, (unsigned long long)u->instances,
				       (unsigned long long)u->watches);
	vec_free(&users);
	return r;
}

void inotify_use_read(struct host *h, struct buf *scratch, struct inotify_use *ret_instances,
		      struct inotify_use *ret_watches)
{
	int r = host_fetch(h, "inotify_use", walk_inotify, NULL, scratch);

	if (r == 0)
		inotify_use_parse(buf_span(scratch), ret_instances, ret_watches);
	else
		*ret_instances = *ret_watches =
			(struct inotify_use){ 0, reading_from_errno(r), reading_from_errno(r) };
}

/* ---- maps of one process ---- */

struct map_count {
	int dir, pid;
	uint64_t lines;
};

static int count_maps(void *arg)
{
	struct map_count *m = arg;
	char path[40];

	snprintf(path, sizeof path, "proc/%d/maps", m->pid);
	m->lines = count_lines(m->dir, path, "");
	return 0;
}

static int live_map_count(struct host *h, const char *key, void *arg, struct buf *ret)
{
	struct map_count *m = malloc(sizeof *m);

	(void)key;
	if (!m)
		return -ENOMEM;
	*m = (struct map_count){ .dir = host_root_fd(h), .pid = *(const int *)arg };
	int r = bounded_call(count_maps, m, free, 200);
	if (r == -ETIMEDOUT)
		return r;
	if (r == 0)
		r = m->lines ? buf_printf(ret, "%llu\n", (unsigned long long)m->lines) : -EACCES;
	free(m);
	return r;
}

reading map_count_read(struct host *h, int pid, struct buf *scratch)
{
	char key[40];
	uint64_t n;

	snprintf(key, sizeof key, "map_count:%d", pid);
	int r = host_fetch(h, key, live_map_count, &pid, scratch);
	if (r < 0)
		return reading_from_errno(r);
	return span_u64(span_trim(buf_span(scratch)), &n) && n < READING_MALFORMED ? n : READING_MALFORMED;
}
