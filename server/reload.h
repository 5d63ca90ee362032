/* SPDX-License-Identifier: MIT */
/* What SIGHUP reads again, while requests go on: one table. */
#pragma once

struct server;

/*
 * Reads again each file of the table. What fails leaves in use what was read before. The log has a line for each, and a
 * line where the configuration names none. From main's thread.
 */
void server_reload(struct server *s);
