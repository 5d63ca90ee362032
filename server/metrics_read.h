/* SPDX-License-Identifier: MIT */
/* The metrics that are read when somebody asks for them: the server's, the store's, the process's. */
#pragma once

struct server;

/* From now on metrics_write reads those of `s`, which serves; metrics_forget_server ends that. For main's thread. */
void metrics_of_server(struct server *s);
void metrics_forget_server(void);
