/* SPDX-License-Identifier: MIT */
/*
 * What systemd is told of the daemon (sd_notify(3), without libsystemd): datagrams of lines NAME=VALUE to the socket in
 * NOTIFY_SOCKET. Without one, all of these do nothing. A message that cannot be sent is dropped: nothing that a client
 * gets hangs on it. For main's thread.
 */
#pragma once

#include <stdint.h>

#include "base/compiler.h"

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. A socket that cannot be used is a warning in the log. */
void notify_open(void);
void notify_close(void);

/* What `systemctl status` shows, printf-like, cut at NOTIFY_STATUS_MAX bytes. notify_ready sends it again. */
#define NOTIFY_STATUS_MAX 256
void notify_status(const char *format, ...) PRINTF_LIKE(1, 2);

/* It serves: after the start, and again after a reload. */
void notify_ready(void);
void notify_reloading(void);

/* It stops, which takes so long at most. Also ends systemd's watchdog. */
void notify_stopping(uint64_t at_most_us);

/* Starting or stopping takes longer: at most so long from now. The least time between two of them is a second. */
void notify_extend(uint64_t at_most_us);

/* It is alive. */
void notify_alive(void);

/* Within which time systemd wants to hear of its life, again and again; 0: it does not. */
uint64_t notify_watchdog_us(void);
