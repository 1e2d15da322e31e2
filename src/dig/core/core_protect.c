#include "dig/core/core_protect.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "base/urgent.h"

/* Of 6.7; Debian 12's header is older. */
#define FEATURE_HUGETLB_SHMEM (UINT64_C(1) << 12)
#define FEATURE_UNPOPULATED (UINT64_C(1) << 13)
#define FEATURE_ASYNC (UINT64_C(1) << 15)

#define PIECE (UINT64_C(32) << 20)

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

void core_protect_deinit(struct core_protect *p)
{
	struct urgent urgent;

	if (p->fd < 0)
		return;
	urgent_begin(&urgent);
	vec_each(range, &p->range) {
		for (uint64_t at = range->start; at < range->end; at += PIECE) {
			struct uffdio_range r = { at, range->end - at < PIECE ? range->end - at : PIECE };

			/* What is unmapped by now, or cannot be split, is left to the close. */
			if (ioctl(p->fd, UFFDIO_UNREGISTER, &r) < 0)
				break;
			urgent_check(&urgent);
		}
	}
	vec_free(&p->range);
	close_fd(&p->fd);
	urgent_end(&urgent);
	p->fd = -1;
}
