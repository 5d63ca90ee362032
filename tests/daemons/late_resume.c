/* SPDX-License-Identifier: MIT */
/*
 * normd whose resumes are late: linked with --wrap=MHD_resume_connection. Between the end of a thread's work for a
 * suspended connection and the resume, the connection's event loop gets time to do whatever it does too early.
 */
#include <microhttpd.h>
#include <unistd.h>

#define LATE_US 200

void __real_MHD_resume_connection(struct MHD_Connection *connection);
void __wrap_MHD_resume_connection(struct MHD_Connection *connection);

void
__wrap_MHD_resume_connection(struct MHD_Connection *connection)
{
	usleep(LATE_US);
	__real_MHD_resume_connection(connection);
}
