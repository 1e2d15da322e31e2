/* What a user has set: $OSPREY_CONFIG, else $XDG_CONFIG_HOME/osprey/config.toml, else
 * ~/.config/osprey/config.toml. docs/configuration.md lists what it may say.
 *
 * A host that is on fire must not be kept from answering by a file: what is wrong in it is told on stderr
 * and left aside. */
#ifndef OSPREY_CMD_CONFIG_H
#define OSPREY_CMD_CONFIG_H

#include "report/table.h"

struct config {
	bool no_color;
	enum table_units units;
	const struct page_palette *palette; /* NULL: the usual colours */
};

/* Read once; later calls are free. */
const struct config *config_get(void);
/* What [VIEW] says of its columns ("pid,user") and its order; NULL: nothing. */
const char *config_columns(const char *view);
const char *config_sort(const char *view);
/* The command line that an alias stands for; NULL: there is none of that name. */
const char *config_alias(const char *name);
void config_free(void);

#endif
