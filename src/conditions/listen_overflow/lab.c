/* A server that listens and is busy elsewhere; a client that keeps connecting. */
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/network_evidence.h"
#include "lab/scenario.h"

#define PORT 8080
#define NAME "127.0.0.1:8080"
#define BACKLOG 8
#define OUTSTANDING 64 /* the client gives up the oldest attempt for a new one */

static void rest(uint64_t ns)
{
	(void)!clock_sleep_until(clock_mono_ns() + ns);
}

static struct sockaddr_in server_address(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(PORT),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* `arg`: the listener, opened before, so that no client comes too early. */
static int serve(struct lab *lab, void *arg)
{
	uint64_t pace = lab_pick(lab, 500, 2000, 10000) * NS_PER_MS;
	int listener = *(int *)arg;

	lab_label_self(lab);
	for (;;) {
		rest(pace);
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			return -errno;
		close(fd);
	}
}

static int knock(struct lab *lab, void *arg)
{
	struct sockaddr_in to = server_address();
	uint64_t pace = NS_PER_S / lab_pick(lab, 10, 40, 200);
	int attempts[OUTSTANDING];

	/* A client that keeps the listener open would count as its owner. */
	close(*(int *)arg);
	memset(attempts, -1, sizeof attempts);
	for (unsigned i = 0;; i = (i + 1) % OUTSTANDING) {
		if (attempts[i] >= 0)
			close(attempts[i]);
		attempts[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (attempts[i] >= 0 && connect(attempts[i], (struct sockaddr *)&to, sizeof to) < 0 &&
		    errno != EINPROGRESS)
			return -errno;
		rest(pace);
	}
}

static int run(struct lab *lab, struct note *note)
{
	struct sockaddr_in at = server_address();
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, BACKLOG) < 0)
		return note_set(note, -errno, "cannot listen on " NAME ": %s", strerror(errno));
	pid_t server = lab_spawn(lab, "lazy_server", serve, &listener);
	pid_t client = server < 0 ? server : lab_spawn(lab, "knocker", knock, &listener);
	close(listener);
	if (client < 0)
		return note_set(note, client, "cannot start server and client");
	lab_label_name(lab, ACTOR_SOCKET, NAME);
	rest(lab_pick(lab, 2000, 1000, 200) * NS_PER_MS); /* until the queue is full */
	lab_ready(lab);
	return 0;
}

static reading counter(const struct net_counters *c)
{
	return c->listen_overflows;
}

static bool moved(const struct window *w, struct note *note)
{
	double most = window_net_most(w, counter);

	note_set(note, 0, "ListenOverflows grew by %.0f", most);
	return most > w->seconds;
}

const struct scenario listen_overflow_scenario = {
	.name = "listen_overflow",
	.summary = "a server with a backlog of 8 that accepts one connection in two seconds, and 40 clients a second",
	.moves = "TcpExt ListenOverflows and ListenDrops, drops of the listening socket",
	.needs = LAB_NET_NS,
	.memory_bytes = 16 << 20,
	.processes = 4,
	.run = run,
	.moved = moved,
};
