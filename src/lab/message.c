#include "lab/message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

int message_pair(int ret[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0 ? -errno : 0;
}

int message_translate_pids(int fd)
{
	return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int)) < 0 ? -errno : 0;
}

static int send_flags(int fd, const struct message *m, int flags)
{
	ssize_t n;

	do
		n = send(fd, m, sizeof *m, MSG_NOSIGNAL | flags);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int message_send(int fd, const struct message *m)
{
	return send_flags(fd, m, 0);
}

int message_send_now(int fd, const struct message *m)
{
	return send_flags(fd, m, MSG_DONTWAIT);
}

static void take_credentials(struct msghdr *header, struct message *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		struct ucred who;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&who, CMSG_DATA(c), sizeof who);
		if (m->label.pid)
			m->label.pid = who.pid;
	}
}

int message_receive(int fd, struct message *ret)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct message m;
	struct iovec part = { &m, sizeof m };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
				 .msg_controllen = sizeof control };
	ssize_t n;

	/* ECONNRESET is told once, when the other end closed with messages of ours unread; what it
	 * sent before is still to come. */
	do
		n = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n != (ssize_t)sizeof m)
		return -EPIPE;
	take_credentials(&header, &m);
	m.note.text[sizeof m.note.text - 1] = '\0';
	*ret = m;
	return 1;
}
