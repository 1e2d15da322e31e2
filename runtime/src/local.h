/* Values that each fiber has of its own. */
#ifndef RT_LOCAL_H
#define RT_LOCAL_H

#include "fiber.h"

/* The running fiber ends: destroys what it has. Outside (door.h), for destructors are the user's. */
void local_end(struct fiber *f);

#endif
