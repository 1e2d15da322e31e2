/* Parsers of src/source/memory; the first byte selects. */
#include <stdlib.h>

#include "source/memory/huge_page.h"
#include "source/memory/meminfo.h"
#include "source/memory/node_memory.h"
#include "source/memory/slab.h"
#include "source/memory/swap.h"
#include "source/memory/vmstat.h"
#include "source/memory/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool so)
{
	if (!so)
		abort();
}

static void of_slabs(struct span text)
{
	slab_vec slabs = { 0 };

	(void)!slabs_parse(text, &slabs);
	vec_each(s, &slabs)
		for (size_t i = 0; i < slab_nfields; i++)
			must(reading_ok(*field_at(&slab_fields[i], s)));
	vec_free(&slabs);
}

static void of_zones(struct span text)
{
	zone_vec zones = { 0 };

	must((zones_parse(text, &zones) == 0) == (zones.n > 0));
	vec_each(z, &zones)
		must(z->nprotection <= ZONE_MAX_PROTECTION);
	vec_free(&zones);
}

static void of_buddies(struct span text)
{
	buddy_vec buddies = { 0 };

	must((buddies_parse(text, &buddies) == 0) == (buddies.n > 0));
	vec_each(b, &buddies)
		for (unsigned order = 0; order <= BUDDY_MAX_ORDERS; order++) {
			double unusable = buddy_unusable(b, order);

			must(isnan(unusable) ? buddy_pages(b) == 0 : unusable >= 0 && unusable <= 1);
		}
	vec_free(&buddies);
}

static void of_swaps(struct span text)
{
	swap_vec swaps = { 0 };

	(void)!swaps_parse(text, &swaps);
	vec_each(s, &swaps)
		must(reading_ok(s->total_bytes) && reading_ok(s->used_bytes));
	vec_free(&swaps);
}

static void of_nodes(struct span text)
{
	struct node_memory node;
	node_id_vec ids = { 0 };

	node_meminfo_parse(text, &node);
	numastat_parse(text, &node.numastat);
	(void)!node_ids_parse(text, &ids);
	for (size_t i = 1; i < ids.n; i++)
		must(ids.v[i - 1] <= ids.v[i]);
	vec_free(&ids);
}

static void of_words(struct span text)
{
	struct zram zram = { .name = "" };
	uint64_t bytes;
	char word[16];

	if (huge_pool_name_parse(text, &bytes))
		must(bytes >= 1024 && bytes % 1024 == 0);
	if (sys_choice_parse(text, word, sizeof word))
		must(word[0] || text.n);
	must(zram_stat_parse(text, &zram) == reading_ok(zram.stored_bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct meminfo memory;
	struct vmstat vmstat;

	if (size == 0)
		return 0;
	struct span text = { (const char *)data + 1, size - 1 };
	switch (data[0] % 8) {
	case 0:
		vmstat_parse(text, &vmstat);
		must(vmstat.presence != PRESENT || reading_ok(vmstat.faults));
		break;
	case 1:
		meminfo_parse(text, &memory);
		must(memory.presence != PRESENT || reading_ok(memory.total_bytes));
		break;
	case 2:
		of_slabs(text);
		break;
	case 3:
		of_zones(text);
		break;
	case 4:
		of_buddies(text);
		break;
	case 5:
		of_swaps(text);
		break;
	case 6:
		of_nodes(text);
		break;
	default:
		of_words(text);
	}
	return 0;
}
