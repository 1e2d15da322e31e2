#include "source/memory/slab.h"

#include <errno.h>
#include <unistd.h>

#include "base/check.h"
#include "base/cleanup.h"

#define HEADING                                                                                                   \
	"slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> " \
	": tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n"

static const char real_text[] =
	HEADING
	"ext4_groupinfo_1k     75     75    160   25    1 : tunables    0    0    0 : slabdata      3      3      0\n"
	"TCPv6                 39     91   2496   13    8 : tunables    0    0    0 : slabdata      6      7      0\n"
	"kmalloc-8k             0      0   8192    4    8 : tunables    0    0    0 : slabdata      0      0      0\n";

static void test_real(void)
{
	slab_vec slabs = { 0 };

	CHECK(slabs_parse(SPAN(real_text), &slabs) == 0);
	CHECK_U64(slabs.n, 3);
	CHECK_STR(slabs.v[0].name, "ext4_groupinfo_1k");
	const struct slab *s = &slabs.v[1];
	CHECK_STR(s->name, "TCPv6");
	CHECK_U64(s->active_objects, 39);
	CHECK_U64(s->objects, 91);
	CHECK_U64(s->object_bytes, 2496);
	CHECK_U64(s->objects_per_slab, 13);
	CHECK_U64(s->pages_per_slab, 8);
	CHECK_U64(s->active_slabs, 6);
	CHECK_U64(s->slabs, 7);
	CHECK_U64(slabs.v[2].slabs, 0);
	vec_free(&slabs);
}

static void test_damaged(void)
{
	slab_vec slabs = { 0 };

	CHECK(slabs_parse(SPAN(""), &slabs) == -EBADMSG);
	CHECK(slabs_parse(SPAN("slabinfo - version: 1.1\na 1 2 3 4 5\n"), &slabs) == -EBADMSG);
	CHECK(slabs_parse(SPAN(HEADING "a 1 2 3 4 : tunables 0 0 0 : slabdata 1 1 0\n"
				       "b 1 2 3 4 5 : tunables 0 0 0 : other 1 1 0\n"
				       "c 1 2 3 4 99999999999999999999 : tunables 0 0 0 : slabdata 1 1 0\n"
				       "d -1 2 3 4 5 : tunables 0 0 0 : slabdata 1 1 0\n"
				       "e 1 2 3 4 5 : tunables 0 0 0 : slabdata 1\n\n"
				       "f 1 2 3 4 5 : tunables 0 0 0 : slabdata 6 7 0"),
			  &slabs) == 0);
	CHECK_U64(slabs.n, 1);
	CHECK_STR(slabs.v[0].name, "f");
	CHECK_U64(slabs.v[0].slabs, 7);
	/* A text that was cut gives no smaller figure than it had. */
	for (size_t n = 0; n < sizeof real_text - 1; n++) {
		int r = slabs_parse((struct span){ real_text, n }, &slabs);

		CHECK(r == 0 || r == -EBADMSG);
		vec_each(s, &slabs)
			CHECK(strcmp(s->name, "TCPv6") != 0 || s->objects == 91);
	}
	vec_free(&slabs);
}

static void test_live(void)
{
	cleanup(buf_deinit) struct buf b = { 0 };
	slab_vec slabs = { 0 };
	enum presence presence;
	struct host *h = NULL;

	CHECK(host_open_live("/proc/self/fdinfo", &h, NULL) == 0); /* a root without /proc */
	CHECK(slabs_read(h, &b, &slabs, &presence) == 0 && presence == ABSENT && slabs.n == 0);
	CHECK_U64(slab_reclaimable_read(h, "dentry", &b), READING_ABSENT);
	CHECK_U64(slab_reclaimable_read(h, "../x", &b), READING_MALFORMED);
	host_free(h);
	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK(slabs_read(h, &b, &slabs, &presence) == 0);
	if (presence == PRESENT) {
		const struct slab *dentry = NULL;

		vec_each(s, &slabs)
			if (strcmp(s->name, "dentry") == 0)
				dentry = s;
		CHECK(dentry && dentry->objects > 0 && dentry->active_objects <= dentry->objects);
		reading r = slab_reclaimable_read(h, "dentry", &b);
		CHECK(r == 1 || r == READING_ABSENT || r == READING_DENIED);
	} else {
		CHECK(geteuid() != 0 || presence == ABSENT);
	}
	host_free(h);
	vec_free(&slabs);
}

int main(void)
{
	test_real();
	test_damaged();
	test_live();
	return check_exit();
}
