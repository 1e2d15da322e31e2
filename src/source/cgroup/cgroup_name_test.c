#include "source/cgroup/cgroup_name.h"

#include "base/check.h"

#define ID "3f2a9c0d1e5b4f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c"

static void name(const char *path, const char *wanted, bool container)
{
	char got[80];

	cgroup_name(path, got, sizeof got);
	CHECK_STR(got, wanted);
	CHECK(cgroup_is_container(path) == container);
}

static void path(const char *text, const char *wanted)
{
	char got[80];

	cgroup_of_process(text, strlen(text), got, sizeof got);
	CHECK_STR(got, wanted);
}

int main(void)
{
	char little[6];

	name("/", "", false);
	name("", "", false);
	name("/system.slice/nginx.service", "nginx.service", false);
	name("/system.slice/nginx.service/worker/3", "nginx.service", false);
	name("/user.slice/user-1000.slice/session-3.scope", "session-3.scope", false);
	name("/user.slice/user-1000.slice", "user-1000.slice", false);
	name("/system.slice/docker-" ID ".scope", "docker 3f2a9c0d1e5b", true);
	name("/docker/" ID, "docker 3f2a9c0d1e5b", true);
	name("/docker/buildx/" ID, "container 3f2a9c0d1e5b", true);
	name("/machine.slice/libpod-" ID ".scope", "podman 3f2a9c0d1e5b", true);
	name("/kubepods.slice/kubepods-pod1.slice/cri-containerd-" ID ".scope", "kubernetes 3f2a9c0d1e5b", true);
	name("/kubepods/burstable/pod1/" ID, "kubernetes 3f2a9c0d1e5b", true);
	name("/system.slice/crio-" ID ".scope", "cri-o 3f2a9c0d1e5b", true);
	name("/lxc.payload.web/system.slice/x.service", "lxc web", true);
	name("/system.slice/docker-3f2a.scope", "docker-3f2a.scope", false);
	name("/runner/fc2ca4c34b699a77f3073999a9bbc79b", "fc2ca4c34b69", false);
	name("/batch/cafe", "cafe", false);
	name("/batch/job 7", "job 7", false);
	cgroup_name("/batch/longname", little, sizeof little);
	CHECK_STR(little, "longn");

	path("0::/system.slice/a.service\n", "/system.slice/a.service");
	path("4:memory:/longer/than/that\n1:name=systemd:/a.service\n0::/\n", "/a.service");
	path("4:memory:/m\n5:cpu,cpuacct:/m/longer\n0::/\n", "/m/longer");
	path("4:memory:/\n0::/\n", "/");
	path("0::/a:b\n", "/a:b");
	path("", "");
	path("nonsense\n", "");
	return check_exit();
}
