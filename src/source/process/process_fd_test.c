#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "source/process/process_fd.h"

static void test_kinds(void)
{
	static const struct {
		const char *target;
		enum fd_kind kind;
		uint64_t inode;
		bool deleted;
	} cases[] = {
		{ "/var/log/x", FD_REGULAR, 0, false },
		{ "/tmp/a (deleted)", FD_REGULAR, 0, true },
		{ "/dev/null", FD_DEVICE, 0, false },
		{ "/dev/shm/q", FD_REGULAR, 0, false },
		{ "pipe:[812]", FD_PIPE, 812, false },
		{ "socket:[9]", FD_SOCKET, 9, false },
		{ "anon_inode:[eventpoll]", FD_EPOLL, 0, false },
		{ "anon_inode:[eventfd]", FD_EVENTFD, 0, false },
		{ "anon_inode:[timerfd]", FD_TIMERFD, 0, false },
		{ "anon_inode:inotify", FD_INOTIFY, 0, false },
		{ "anon_inode:bpf-map", FD_BPF, 0, false },
		{ "anon_inode:[pidfd]", FD_PIDFD, 0, false },
		{ "anon_inode:[io_uring]", FD_IO_URING, 0, false },
		{ "/memfd:a (deleted)", FD_MEMFD, 0, false },
		{ "net:[4026531840]", FD_NAMESPACE, 4026531840, false },
		{ "anon_inode:[dma]", FD_OTHER, 0, false },
		{ "", FD_OTHER, 0, false },
		{ "pipe:[", FD_OTHER, 0, false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint64_t inode = 1;
		bool deleted = true;

		CHECK(fd_kind_of(span_from(cases[i].target), &inode, &deleted) == cases[i].kind);
		CHECK_U64(inode, cases[i].inode);
		CHECK(deleted == cases[i].deleted);
	}
}

static void test_info(void)
{
	struct process_fd f = { .kind = FD_EPOLL, .position = READING_ABSENT, .detail = READING_ABSENT };
	char flags[64];

	fdinfo_parse(SPAN("pos:\t12\nflags:\t02104001\nmnt_id:\t9\nlock:\t1: FLOCK  ADVISORY  WRITE 1 08:01:5 0 EOF\n"
			  "tfd:        5 events: 19 data: 5\ntfd:  6 events: 19\n"), &f);
	CHECK_U64(f.position, 12);
	CHECK_U64(f.detail, 2);
	CHECK_U64(f.locks, 1);
	CHECK(f.has_flags);
	fd_flags_text(O_APPEND | O_NONBLOCK | O_CLOEXEC, flags, sizeof flags);
	CHECK_STR(flags, "append nonblock cloexec");
	f = (struct process_fd){ .kind = FD_TIMERFD, .detail = READING_ABSENT };
	fdinfo_parse(SPAN("it_value: (12, 500000000)\n"), &f);
	CHECK_U64(f.detail, 12500000000ull);
	f = (struct process_fd){ .kind = FD_INOTIFY, .detail = READING_ABSENT };
	fdinfo_parse(SPAN("ino:\t5\ninotify wd:1 ino:5\ninotify wd:2 ino:6\n"), &f);
	CHECK_U64(f.detail, 2);
	f = (struct process_fd){ .kind = FD_EVENTFD, .detail = READING_ABSENT };
	fdinfo_parse(SPAN("eventfd-count:               1f\nflags: 9\n"), &f);
	CHECK_U64(f.detail, 0x1f);
	CHECK(!f.has_flags); /* no octal number */
}

static void test_answer(void)
{
	static const char answer[] = "00000000000000000002\n"
				     "11 33152 6 7\n/etc/xpos:\t3\n\n"
				     "3 41471 8 0\npipe:[7]\n";
	cleanup(process_fds_deinit) struct process_fds f = { 0 };

	CHECK(process_fds_parse(SPAN(answer), &f) == 0);
	CHECK_U64(f.skipped, 2);
	CHECK_U64(f.fds.n, 2);
	CHECK(f.fds.v[0].fd == 3 && f.fds.v[0].kind == FD_PIPE && f.fds.v[0].inode == 7); /* by number */
	CHECK(span_is(process_fd_target(&f, &f.fds.v[1]), "/etc/x"));
	CHECK_U64(f.fds.v[1].position, 3);
	CHECK(f.fds.v[1].access == 'u');
	process_fd_stats_parse(SPAN("11 16877 40\n3 1 1\nx\n99 33188 5\n"), &f);
	CHECK(f.fds.v[1].kind == FD_DIRECTORY);
	process_fd_stats_parse(SPAN("11 33188 40\n"), &f);
	CHECK_U64(f.fds.v[1].size_bytes, 40);
	for (size_t n = 0; n < sizeof answer - 1; n++)
		(void)!process_fds_parse((struct span){ answer, n }, &f);
	CHECK(process_fds_parse(SPAN("0\n1 2 99999999999 5\nx\n"), &f) == -EBADMSG);
	CHECK(process_fds_parse(SPAN("0\n1 2 18446744073709551615 2\nx\n"), &f) == -EBADMSG);
}

static const struct process_fd *find(const struct process_fds *f, int fd)
{
	vec_each(p, &f->fds)
		if (p->fd == fd)
			return p;
	return NULL;
}

/* Our own descriptors, as the kernel tells them. */
static void test_live(void)
{
	cleanup(process_fds_deinit) struct process_fds f = { 0 };
	cleanup(buf_deinit) struct buf scratch = { 0 };
	int pipes[2], pair[2], event = eventfd(5, EFD_CLOEXEC), epoll = epoll_create1(0), notify = inotify_init1(0);
	int memory = memfd_create("osprey", 0);
	struct epoll_event wanted = { .events = EPOLLIN };
	struct proc_dir d;
	struct host *h;

	CHECK(pipe(pipes) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &wanted) == 0);
	CHECK(inotify_add_watch(notify, "/", IN_DELETE_SELF) > 0);
	CHECK(ftruncate(memory, 12345) == 0);
	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK(proc_dir_open(h, getpid(), 0, &d) == 0);
	CHECK(process_fds_read(&d, getpid(), true, &scratch, &f) == 0);
	CHECK(f.error == 0);
	const struct process_fd *p;
	CHECK((p = find(&f, pipes[0])) && p->kind == FD_PIPE && p->access == 'r' && p->inode);
	CHECK((p = find(&f, pipes[1])) && p->access == 'w');
	CHECK((p = find(&f, pair[0])) && p->kind == FD_SOCKET && p->access == 'u');
	CHECK((p = find(&f, event)) && p->kind == FD_EVENTFD && p->detail == 5 && p->flags & O_CLOEXEC);
	CHECK((p = find(&f, epoll)) && p->kind == FD_EPOLL && p->detail == 1);
	CHECK((p = find(&f, notify)) && p->kind == FD_INOTIFY && p->detail == 1);
	CHECK((p = find(&f, memory)) && p->kind == FD_MEMFD && p->size_bytes == 12345);
	proc_dir_close(&d);
	host_free(h);
}

int main(void)
{
	test_kinds();
	test_info();
	test_answer();
	test_live();
	return check_exit();
}
