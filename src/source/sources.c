#include "source/sources.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/genetlink.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/taskstats.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "source/cgroup/cgroup.h"
#include "source/kernel_log/kernel_log.h"
#include "source/process/fork_watch.h"
#include "source/process/task.h"

#define PROBE(name)                                                                       \
	static int probe_##name(struct host *h, const struct source *s, struct buf *scratch, \
				struct note *note)

PROBE(FILE)
{
	(void)note;
	return host_read(h, s->path, scratch);
}

PROBE(LIST)
{
	(void)note;
	return host_list(h, s->path, scratch);
}

/* What is no file: asked live, and written down under a key of its own. */
struct live_probe {
	int (*ask)(void);
};

static int fetch_live(struct host *h, const char *key, void *arg, struct buf *ret)
{
	const struct live_probe *live = arg;
	int r = live->ask();

	(void)h;
	(void)key;
	return r < 0 ? r : buf_append(ret, "yes\n", 4);
}

static int fetch(struct host *h, const struct source *s, int (*ask)(void), struct buf *scratch)
{
	char key[80];

	snprintf(key, sizeof key, "probe:%s", s->id);
	return host_fetch(h, key, fetch_live, &(struct live_probe){ ask }, scratch);
}

/* Sends one request and takes the kernel's verdict: 0 for any answer but an error. */
static int netlink_ask(int protocol, void *request, size_t n)
{
	cleanup(close_fd) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	struct timeval limit = { .tv_usec = 200000 };
	union {
		struct nlmsghdr header;
		char bytes[8192];
	} answer;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 || send(fd, request, n, 0) < 0)
		return -errno;
	ssize_t got = recv(fd, &answer, sizeof answer, 0);
	if (got < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (!NLMSG_OK(&answer.header, (size_t)got))
		return -EBADMSG;
	if (answer.header.nlmsg_type != NLMSG_ERROR)
		return 0;
	const struct nlmsgerr *error = NLMSG_DATA(&answer.header);
	return error->error;
}

/* A dump of listening sockets: few, mostly one message. */
static int ask_sock_diag(void)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 body;
	} request = {
		.header = { .nlmsg_len = sizeof request, .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.body = { .sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1 << 10 },
	};

	return netlink_ask(NETLINK_SOCK_DIAG, &request, sizeof request);
}

PROBE(SOCK_DIAG)
{
	(void)note;
	return fetch(h, s, ask_sock_diag, scratch);
}

/* A dump of the interfaces: at least lo. */
static int ask_rtnetlink(void)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg body;
	} request = {
		.header = { .nlmsg_len = sizeof request, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
	};

	return netlink_ask(NETLINK_ROUTE, &request, sizeof request);
}

PROBE(RTNETLINK)
{
	(void)note;
	return fetch(h, s, ask_rtnetlink, scratch);
}

static int ask_taskstats(void)
{
	struct {
		struct nlmsghdr header;
		struct genlmsghdr generic;
		struct nlattr attribute;
		char name[sizeof TASKSTATS_GENL_NAME + 2]; /* padded to 4 bytes */
	} request = {
		.header = { .nlmsg_len = sizeof request, .nlmsg_type = GENL_ID_CTRL, .nlmsg_flags = NLM_F_REQUEST },
		.generic = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 },
		.attribute = { .nla_len = NLA_HDRLEN + sizeof TASKSTATS_GENL_NAME, .nla_type = CTRL_ATTR_FAMILY_NAME },
		.name = TASKSTATS_GENL_NAME,
	};

	return netlink_ask(NETLINK_GENERIC, &request, sizeof request);
}

PROBE(TASKSTATS)
{
	(void)note;
	return fetch(h, s, ask_taskstats, scratch);
}

static int ask_statvfs(void)
{
	struct statvfs v;

	return statvfs("/", &v) < 0 ? -errno : 0;
}

PROBE(STATVFS)
{
	(void)note;
	return fetch(h, s, ask_statvfs, scratch);
}

/* Whether CapEff of /proc/self/status has CAP_SYS_PTRACE: what the kernel asks for before it
 * tells of other users' processes. A single process proves little: it may be special. */
static int may_trace_others(struct host *h, struct buf *scratch, struct note *note)
{
	int r = host_read(h, "/proc/self/status", scratch);
	struct span text = buf_span(scratch), line, name, word;
	uint64_t effective = 0;

	while (r == 0 && span_line(&text, &line))
		if (span_word(&line, &name) && span_is(name, "CapEff:") && span_word(&line, &word) &&
		    !span_hex(word, &effective))
			return -EBADMSG;
	if (r == 0 && !(effective & UINT64_C(1) << CAP_SYS_PTRACE))
		return note_set(note, -EPERM, "CAP_SYS_PTRACE, or root, for processes of other users");
	return r;
}

static int probe_own_and_others(struct host *h, const char *own, struct buf *scratch, struct note *note)
{
	int r = host_read(h, own, scratch);

	return r < 0 ? r : may_trace_others(h, scratch, note);
}

PROBE(OTHERS_IO)
{
	(void)s;
	return probe_own_and_others(h, "/proc/self/io", scratch, note);
}

PROBE(OTHERS_SYSCALL)
{
	(void)s;
	return probe_own_and_others(h, "/proc/self/syscall", scratch, note);
}

PROBE(SCHEDSTAT)
{
	(void)s;
	(void)note;
	return host_read(h, "/proc/self/schedstat", scratch);
}

/* hidepid hides even the directory of other users' processes. */
PROBE(OTHERS_STAT)
{
	int r = host_read(h, "/proc/1/stat", scratch);

	(void)s;
	return r == -ENOENT && host_is_live(h) ? note_set(note, -EPERM, "/proc without hidepid, or root") : r;
}

/* Reads one byte of our own. */
static int ask_process_memory(void)
{
	char from = 1, to = 0;
	struct iovec local = { &to, 1 }, remote = { &from, 1 };

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == 1 && to == 1 ? 0 : -errno;
}

PROBE(MUTEX_OWNER)
{
	int r = fetch(h, s, ask_process_memory, scratch);

	return r < 0 ? r : may_trace_others(h, scratch, note);
}

static int probe_cgroup(struct host *h, bool v2, struct buf *scratch)
{
	struct cgroup_mounts mounts;
	int r = cgroup_mounts_read(h, scratch, &mounts);

	for (size_t i = 0; r == 0 && i < mounts.n; i++)
		if (mounts.v[i].v2 == v2 && mounts.v[i].controllers)
			return 0;
	return r < 0 ? r : -ENOENT;
}

PROBE(CGROUP_V1)
{
	(void)s;
	(void)note;
	return probe_cgroup(h, false, scratch);
}

PROBE(CGROUP_V2)
{
	int r = probe_cgroup(h, true, scratch);

	(void)s;
	return r == -ENOENT ? note_set(note, r, "a v2 hierarchy with controllers") : r;
}

PROBE(TASK_ITERATOR)
{
	struct task_reader *reader;

	(void)s;
	(void)scratch;
	if (host_is_textual(h))
		return -ENODATA;
	int r = task_reader_new_of_kind(h, TASK_READER_BPF, &reader, note);
	if (r == 0)
		task_reader_free(reader);
	return r;
}

PROBE(FORK_WATCH)
{
	struct fork_watch *watch;

	(void)s;
	(void)scratch;
	if (host_is_textual(h))
		return -ENODATA;
	int r = fork_watch_new(h, &watch, note);
	if (r < 0)
		return r;
	r = fork_watch_exact(watch) ? 0 : geteuid() == 0 ? -ENOENT : -EPERM;
	fork_watch_free(watch);
	return r;
}

PROBE(KERNEL_LOG)
{
	struct kernel_log *log;
	enum presence presence;
	int r = kernel_log_new(h, &log, &presence);

	(void)s;
	(void)scratch;
	if (r < 0)
		return r;
	kernel_log_free(log);
	if (presence == DENIED)
		return note_set(note, -EPERM, "CAP_SYSLOG, or sysctl kernel.dmesg_restrict=0");
	return presence == PRESENT ? 0 : -ENOENT;
}

PROBE(DELAY_ACCOUNTING)
{
	int r = host_read(h, s->path, scratch);

	if (r == 0 && !span_is(span_trim(buf_span(scratch)), "1"))
		return note_set(note, -EOPNOTSUPP, "%s (it is switched off)", s->needs);
	return r;
}

const struct source sources[] = {
#define SOURCE(id, path, probe, needs, gives, without) { #id, path, needs, gives, without, probe_##probe },
#include "source/sources.def"
#undef SOURCE
};
const size_t nsources = sizeof sources / sizeof sources[0];

void source_probe(struct host *h, const struct source *s, struct buf *scratch, struct source_state *ret)
{
	int r;

	*ret = (struct source_state){ PRESENT, { "" } };
	r = s->probe(h, s, scratch, &ret->why);
	ret->presence = presence_from_errno(r);
	if (r == 0) {
		ret->why.text[0] = '\0';
		return;
	}
	/* In a capture what was never asked cannot be told from what was not there. */
	if (r == -ENODATA || (r == -ENOENT && !host_is_live(h)))
		ret->presence = UNREAD;
	if (ret->why.text[0])
		return;
	if (ret->presence == DENIED)
		snprintf(ret->why.text, sizeof ret->why.text, "root");
	else if (ret->presence != UNREAD)
		snprintf(ret->why.text, sizeof ret->why.text, "%s", s->needs);
}
