/* Many connections at a time over loopback addresses, none of which has a fiber while it is idle: what each
 * of them costs in memory beyond the kernel's own, and whether all of them still answer.
 *
 *	net_conns CONNECTIONS
 *
 * A process may have RLIMIT_NOFILE open files, so there are as many servers, each at a loopback address of
 * its own, and as many clients, as that takes. Prints connections, servers and bytes a connection. 77: the
 * limits are too low. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <osprey/rt.h>

#define SPARE_FILES 200
#define MOST_SERVERS 64
/* Of one address and port, a client's address has so many ports at least. */
#define MOST_OF_A_SERVER 20000

static long share;		/* connections of one server */
static int report[2], go[2];	/* the server's or client's ends */

static long resident_bytes(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%*d %ld", &pages) != 1)
		exit(3);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static int answer(void *arg)
{
	struct rt_fd fd;
	char byte;
	ssize_t n;

	memcpy(&fd, &arg, sizeof fd);
	while ((n = rt_read(fd, &byte, 1, 0)) == 1)
		if (rt_write(fd, &byte, 1, RT_FOREVER) != 1)
			break;
	if (n != -ETIMEDOUT || rt_fd_on_readable(fd, answer, arg) < 0)
		rt_fd_close(fd);
	return 0;
}

static int serve(void *arg)
{
	struct rt_address address;
	struct rt_fd listener, fd;
	char text[64];
	long before = 0;

	snprintf(text, sizeof text, "127.0.0.%ld:0", (long)(intptr_t)arg + 1);
	if (rt_address_parse(text, &address) < 0 || rt_listen(&address, NULL, &listener) < 0 ||
	    rt_local_address(listener, &address) < 0)
		return -EIO;
	dprintf(report[1], "%d\n", ((struct sockaddr_in *)&address.storage)->sin_port);
	for (long i = 0; i < share; i++) {
		void *handle;
		int r = rt_accept(listener, NULL, &fd, RT_FOREVER);
		memcpy(&handle, &fd, sizeof handle);
		if (r < 0 || (r = rt_fd_on_readable(fd, answer, handle)) < 0) {
			fprintf(stderr, "net_conns: connection %ld: %s\n", i, strerror(-r));
			return r;
		}
		/* The first ones pay for what is there once. */
		if (i == share / 100)
			before = resident_bytes();
	}
	dprintf(report[1], "%ld\n", (resident_bytes() - before) / (share - share / 100));
	return rt_fd_close(listener);
}

static int client(int server, in_port_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = port,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)server) };
	int *all = calloc((size_t)share, sizeof *all);
	char byte = 'x';

	for (long i = 0; i < share; i++) {
		all[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (all[i] < 0 || connect(all[i], (struct sockaddr *)&to, sizeof to) < 0) {
			perror("net_conns: connect");
			return 3;
		}
	}
	if (read(go[0], &byte, 1) != 1)
		return 3;
	for (int round = 0; round < 2; round++) {
		for (long i = 0; i < share; i++)
			if (write(all[i], &byte, 1) != 1)
				return 3;
		for (long i = 0; i < share; i++)
			if (read(all[i], &byte, 1) != 1)
				return 3;
	}
	return 0;
}

/* One process for each: what it reports can be read from the stream. */
static FILE *start(pid_t *ret_pid, int *ret_go, int server, int port)
{
	int to[2], from[2];

	if (pipe2(from, 0) < 0 || pipe2(to, 0) < 0)
		return NULL;
	*ret_pid = fork();
	if (*ret_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		report[1] = from[1];
		go[0] = to[0];
		struct rt_options options = { .processors = 1 };
		_exit(port ? client(server, (in_port_t)port) : -rt_run(&options, serve, (void *)(intptr_t)server));
	}
	close(from[1]);
	close(to[0]);
	*ret_go = to[1];
	return *ret_pid < 0 ? NULL : fdopen(from[0], "r");
}

int main(int argc, char **argv)
{
	long connections = argc == 2 ? atol(argv[1]) : 0, worst = 0;
	pid_t servers[MOST_SERVERS], clients[MOST_SERVERS];
	FILE *from[MOST_SERVERS];
	int unused, to[MOST_SERVERS], status = 0, failed = 0;
	struct rlimit files;

	if (connections <= 0) {
		fprintf(stderr, "usage: net_conns CONNECTIONS\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	long most = (long)files.rlim_max - SPARE_FILES;
	most = most < MOST_OF_A_SERVER ? most : MOST_OF_A_SERVER;
	long n = most > 0 ? (connections + most - 1) / most : MOST_SERVERS + 1;
	if (n > MOST_SERVERS) {
		printf("skip: %ld connections, and a process may have %ld open files (RLIMIT_NOFILE)\n", connections,
		       (long)files.rlim_max);
		return 77;
	}
	share = connections / n;
	for (long i = 0; i < n; i++) {
		int port;
		from[i] = start(&servers[i], &unused, (int)i, 0);
		if (!from[i] || fscanf(from[i], "%d", &port) != 1 || !start(&clients[i], &to[i], (int)i, port)) {
			fprintf(stderr, "net_conns: a process does not start\n");
			return 3;
		}
	}
	/* All of them are connected before any is asked. */
	for (long i = 0; i < n; i++) {
		long bytes;
		if (fscanf(from[i], "%ld", &bytes) != 1) {
			fprintf(stderr, "net_conns: server %ld gave up\n", i);
			return 3;
		}
		worst = bytes > worst ? bytes : worst;
	}
	for (long i = 0; i < n; i++)
		if (write(to[i], "g", 1) != 1)
			failed = 1;
	for (long i = 0; i < n; i++) {
		waitpid(clients[i], &status, 0);
		failed |= status;
		waitpid(servers[i], &status, 0);
		failed |= status;
	}
	printf("%ld connections at %ld servers, %ld bytes each, %s\n", share * n, n, worst,
	       failed ? "not all answer" : "all answer");
	return failed ? 1 : 0;
}
