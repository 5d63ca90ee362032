/* SPDX-License-Identifier: MIT */
#include "server/suspension.h"

#include <assert.h>
#include <microhttpd.h>

bool
suspension_holds(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_SUSPENDED)->suspended == MHD_YES;
}

void
suspension_begin(struct MHD_Connection *connection)
{
	assert(!suspension_holds(connection));
	MHD_suspend_connection(connection);
}

void
suspension_end(struct MHD_Connection *connection)
{
	MHD_resume_connection(connection);
}
