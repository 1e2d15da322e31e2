#include "dig/core/core_protect.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/urgent.h"

/* Of 6.7; Debian 12's header is older. */
#define FEATURE_HUGETLB_SHMEM (UINT64_C(1) << 12)
#define FEATURE_UNPOPULATED (UINT64_C(1) << 13)
#define FEATURE_ASYNC (UINT64_C(1) << 15)

/* What lifting costs differs: 6 us a page where the host of a virtual machine keeps its page tables, far less
 * elsewhere. */
#define PIECE_MIN (UINT64_C(2) << 20) /* of this size are huge pages, which are not to be split */
#define PIECE_MAX (UINT64_C(32) << 20)
#define HOLD_NS UINT64_C(300000)
#define TURN_NS 2000000 /* of work ahead of others, then as long a pause */

int core_protect_init(struct core_protect *p, int fd)
{
	struct uffdio_api api = { .api = UFFD_API,
				  .features = FEATURE_HUGETLB_SHMEM | FEATURE_UNPOPULATED | FEATURE_ASYNC };

	*p = (struct core_protect){ .fd = fd };
	if (ioctl(fd, UFFDIO_API, &api) == 0)
		return 0;
	int r = -errno;

	core_protect_deinit(p);
	return r;
}

int core_protect_add(struct core_protect *p, uint64_t start, uint64_t end)
{
	struct uffdio_register r = { .range = { start, end - start }, .mode = UFFDIO_REGISTER_MODE_WP };

	if (vec_reserve(&p->range, 1) < 0)
		return -ENOMEM;
	struct urgent urgent;

	/* It holds the target's mmap_lock: whoever waits for that must not wait for our turn on a busy host. */
	urgent_begin(&urgent);
	int failed = ioctl(p->fd, UFFDIO_REGISTER, &r) < 0 ? -errno : 0;

	urgent_end(&urgent);
	if (failed)
		return failed;
	*vec_push(&p->range) = (struct protected_range){ start, end };
	return 0;
}

struct lifting {
	struct urgent urgent;
	uint64_t piece;
	uint64_t worked_ns; /* since the last pause */
};

/* Who waits for the target's mmap_lock gets it between two pieces; who waits for the CPU needs a pause. */
static void piece_done(struct lifting *l, uint64_t bytes, uint64_t held_ns)
{
	const struct timespec pause = { 0, TURN_NS };

	if (held_ns > HOLD_NS && l->piece > PIECE_MIN)
		l->piece /= 2;
	else if (held_ns < HOLD_NS / 3 && bytes > l->piece / 2 && l->piece < PIECE_MAX)
		l->piece *= 2;
	l->worked_ns += held_ns;
	if (l->worked_ns < TURN_NS)
		return;
	nanosleep(&pause, NULL);
	l->worked_ns = 0;
	urgent_renew(&l->urgent);
}

static void lift(const struct core_protect *p, const struct protected_range *range, struct lifting *l)
{
	for (uint64_t at = range->start, end; at < range->end; at = end) {
		end = (at + l->piece) / PIECE_MIN * PIECE_MIN;
		end = end < range->end ? end : range->end;

		struct uffdio_range r = { at, end - at };
		uint64_t from = clock_thread_cpu_ns();

		/* What is unmapped by now, or cannot be split, is left to the close. */
		if (ioctl(p->fd, UFFDIO_UNREGISTER, &r) < 0)
			break;
		/* Without the time that it waited for the lock itself. */
		piece_done(l, end - at, clock_thread_cpu_ns() - from);
	}
}

void core_protect_deinit(struct core_protect *p)
{
	struct lifting l = { .piece = PIECE_MIN };

	if (p->fd < 0)
		return;
	urgent_begin(&l.urgent);
	vec_each(range, &p->range)
		lift(p, range, &l);
	vec_free(&p->range);
	close_fd(&p->fd);
	urgent_end(&l.urgent);
	p->fd = -1;
}
