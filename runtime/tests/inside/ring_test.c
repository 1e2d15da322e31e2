/* What the kernel answers while a poller is looked at is not missed: a fiber that waits for it alone would wait for
 * ever. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "check.h"
#include "delays.h"

#define OPENS 400

static char path[] = "/tmp/osprey-rt-ring.XXXXXX";

/* To create may block, so another thread of the kernel does it. */
static int opens(void *arg)
{
	(void)arg;
	for (long i = 0; i < check_load(OPENS); i++) {
		int fd = rt_file_open(path, O_RDWR | O_CREAT, 0600);
		CHECK(fd >= 0);
		close(fd);
	}
	return 0;
}

int main(void)
{
	int fd = mkstemp(path);

	if (fd < 0) {
		perror(path);
		return EXIT_FAILURE;
	}
	close(fd);
	delays_begin(1, 2);
	int r = check_all(&(struct check_test){ "opens", opens }, 1);
	unlink(path);
	return r;
}
