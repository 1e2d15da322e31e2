/* Who stands behind a cgroup path, by the conventions of systemd, Docker, Podman, containerd, CRI-O,
 * Kubernetes and LXC. Pure.
 * Sources: systemd.slice(5), systemd.scope(5); cgroup drivers of runc and of the kubelet. */
#ifndef OSPREY_SOURCE_CGROUP_CGROUP_NAME_H
#define OSPREY_SOURCE_CGROUP_CGROUP_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* "/system.slice/nginx.service" -> "nginx.service";
 * "/system.slice/docker-3f2a….scope", "/docker/3f2a…" -> "docker 3f2a9c0d1e5b" (12 digits, as docker ps);
 * "/kubepods.slice/…/cri-containerd-….scope" -> "kubernetes 3f2a9c0d1e5b"; "/lxc.payload.web" -> "lxc web";
 * "/user.slice/user-1000.slice/session-3.scope" -> "session-3.scope"; what follows no convention: its last
 * component; "/": "". */
void cgroup_name(const char *path, char *ret, size_t size);
/* Whether it is a container, by the same conventions. */
bool cgroup_is_container(const char *path);

/* Of the text of /proc/PID/cgroup: the path that tells most, which is that of the v2 tree or of
 * systemd's own hierarchy, else the longest. "" when there is none. */
void cgroup_of_process(const char *text, size_t n, char *ret, size_t size);

#endif
