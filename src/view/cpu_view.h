/* CPUs: where their time goes, each and all, and what the scheduler has to do. For the views of
 * mpstat and vmstat. Reads /proc/stat, /proc/loadavg, /proc/pressure: three to five small files. */
#ifndef OSPREY_VIEW_CPU_VIEW_H
#define OSPREY_VIEW_CPU_VIEW_H

#include "view/view.h"

extern const struct view view_cpu;

#endif
