#include "dig/leak/leak_site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void leak_sites_deinit(struct leak_sites *s)
{
	vec_each(site, &s->site)
		free(site->frames);
	vec_free(&s->site);
	map_deinit(&s->by_hash);
}

static uint64_t hash_of(const struct unwind_frame *frames, size_t n)
{
	uint64_t h = n;

	for (size_t i = 0; i < n; i++) {
		h = (h ^ frames[i].pc) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 29;
	}
	return h ? h : 1;
}

static bool is_site(const struct leak_site *site, const struct unwind_frame *frames, size_t n, enum unwind_end end)
{
	if (site->nframes != n || site->end != end)
		return false;
	for (size_t i = 0; i < n; i++)
		if (site->frames[i].pc != frames[i].pc)
			return false;
	return true;
}

int leak_site_of(struct leak_sites *s, const struct unwind_frame *frames, size_t n, enum unwind_end end, uint32_t *ret)
{
	uint64_t hash = hash_of(frames, n);
	uint32_t at;

	/* Two stacks of one hash: the later one goes by the next. */
	while ((at = map_get(&s->by_hash, hash)) != MAP_NONE) {
		if (is_site(&s->site.v[at], frames, n, end)) {
			*ret = at;
			return 0;
		}
		hash = hash + 1 ? hash + 1 : 1;
	}
	struct unwind_frame *copy = malloc((n ? n : 1) * sizeof *copy);
	struct leak_site *site = copy ? vec_push(&s->site) : NULL;
	if (!site) {
		free(copy);
		return -ENOMEM;
	}
	memcpy(copy, frames, n * sizeof *copy);
	*site = (struct leak_site){ copy, n, end };
	at = (uint32_t)(s->site.n - 1);
	if (map_set(&s->by_hash, hash, at) < 0) {
		s->site.n--;
		free(copy);
		return -ENOMEM;
	}
	*ret = at;
	return 0;
}
