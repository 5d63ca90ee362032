/* SPDX-License-Identifier: MIT */
/* A daemon's life from when it listens to when it stops: serve, take leave, drain. For main's thread. */
#pragma once

#include "server/config.h"
#include "server/server.h"

/*
 * Serves until SIGTERM or SIGINT. Then it takes leave: for --drain-delay it serves on while it reports not ready. Then
 * it drains: for --drain-timeout at most. Each such signal ends the phase. Then it stops the server, and returns how
 * many requests were cut off. systemd is told of each phase (notify.h).
 */
unsigned long lifecycle_run(struct server *s, const struct config *config);

/* Tells systemd, for `systemctl status`, whether the daemon that serves is well. */
void lifecycle_show(const struct server *s);
