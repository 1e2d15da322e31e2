/* The network of the host: interfaces with their use, losses and queues, protocol counters as rates,
 * softnet; the views of sar -n DEV,EDEV,IP,TCP,ETCP,UDP, ip -s link, tc -s qdisc, nstat. Of our own network
 * namespace. Reads six files of /proc/net, two dumps of rtnetlink, and of each device its speed. */
#ifndef OSPREY_VIEW_NET_VIEW_H
#define OSPREY_VIEW_NET_VIEW_H

#include "view/view.h"

extern const struct view view_net;

#endif
