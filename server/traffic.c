/* SPDX-License-Identifier: MIT */
#include "server/traffic.h"

#include <linux/sockios.h>
#include <linux/tcp.h> /* glibc's netinet/tcp.h lacks the counts of bytes */
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

bool
traffic_read(int fd, struct traffic *t)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return false;
	t->received = info.tcpi_bytes_received;
	t->acknowledged = info.tcpi_bytes_acked;
	t->unacknowledged = info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0;
	return t->received > 0;
}

bool
traffic_has_unread(int fd)
{
	int bytes = 0;

	return ioctl(fd, SIOCINQ, &bytes) == 0 && bytes > 0;
}

enum traffic_end
traffic_end_of(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	if (poll(&p, 1, 0) <= 0)
		return TRAFFIC_GOES_ON;
	return (p.revents & (POLLERR | POLLHUP)) != 0 ? TRAFFIC_GONE : TRAFFIC_HALF_CLOSED;
}
