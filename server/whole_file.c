/* SPDX-License-Identifier: MIT */
#include "server/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/sandbox.h"

/* Reads up to `size` bytes, to the end of the file. -1: errno says why. */
static ssize_t
read_all(int fd, char *bytes, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size && (n = read(fd, bytes + len, size - len)) != 0) {
		if (n < 0 && errno != EINTR)
			return -1;
		len += n < 0 ? 0 : (size_t)n;
	}
	return (ssize_t)len;
}

static int
read_opened(int fd, const char *what, const char *path, size_t max, struct whole_file *out, struct err *e)
{
	ssize_t n;

	if (fd < 0 || fstat(fd, &out->stat) < 0)
		return err_fail(
		    e, ERR_BAD_PARAMETER, "%s %.160s cannot be opened: %s", what, path, sandbox_strerror(path));
	if (!S_ISREG(out->stat.st_mode))
		return err_fail(e, ERR_BAD_PARAMETER, "%s %.160s is not a regular file", what, path);
	out->bytes = malloc(max + 1); /* one more than allowed shows that there is more */
	if (out->bytes == NULL)
		return err_fail_memory(e);
	n = read_all(fd, out->bytes, max + 1);
	if (n < 0)
		return err_fail(e, ERR_BAD_PARAMETER, "%s %.160s cannot be read: %s", what, path, strerror(errno));
	if ((size_t)n > max)
		return err_fail(e, ERR_BAD_PARAMETER, "%s %.160s is larger than %zu bytes", what, path, max);
	out->len = (size_t)n;
	out->bytes[n] = '\0';
	return 0;
}

int
whole_file_read(const char *what, const char *path, size_t max, struct whole_file *out, struct err *e)
{
	/* O_NONBLOCK: a pipe without a writer would keep the caller waiting. */
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int rc;

	*out = (struct whole_file){ 0 };
	rc = read_opened(fd, what, path, max, out, e);
	if (fd >= 0)
		close(fd);
	if (rc < 0) {
		out->len = out->bytes == NULL ? 0 : max;
		whole_file_fini(out);
	}
	return rc;
}

void
whole_file_fini(struct whole_file *f)
{
	if (f->bytes != NULL)
		explicit_bzero(f->bytes, f->len);
	free(f->bytes);
	f->bytes = NULL;
}
