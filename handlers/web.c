/* SPDX-License-Identifier: MIT */
#include "handlers/web.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handlers/handlers.h"

int
web_check_root(const char *root, struct err *e)
{
	const int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_fail(e, ERR_BAD_PARAMETER, "the folder %.160s cannot be opened: %s", root, strerror(errno));
	close(fd);
	return 0;
}

static int
refuse(const char *path, const char *why, struct err *e)
{
	return err_fail(e, ERR_NO_SUCH_ROUTE, "there is no page file \"%s\"%s%s", path, *why == '\0' ? "" : ": ", why);
}

static ssize_t
read_bytes(const void *arg, uint64_t offset, char *out, size_t room)
{
	const struct web_bytes *b = arg;
	const size_t left = b->len - (size_t)offset, n = left < room ? left : room;

	memcpy(out, b->bytes + offset, n);
	return (ssize_t)n;
}

/* NULL: no file of this type is served. */
static const char *
media_type_of(const char *path)
{
	const char *ending = strrchr(path, '.');

	for (const struct web_type *type = web_types; ending != NULL && type->ending != NULL; type++)
		if (strcmp(ending, type->ending) == 0)
			return type->media_type;
	return NULL;
}

static void
answer_bytes(struct reply *reply, const char *path, const struct web_bytes *b)
{
	reply->source =
	    (struct reply_source){ .read = read_bytes, .arg = b, .bytes = b->len, .media_type = media_type_of(path) };
}

static int
answer_built_in(struct request *rq, const char *path, struct err *e)
{
	const bool gzip = rq->web_wish == WEB_GZIP;
	const struct web_file *file = web_files;

	while (file->path != NULL && strcmp(file->path, path) != 0)
		file++;
	if (file->path == NULL)
		return refuse(path, "", e);
	answer_bytes(&rq->reply, path, gzip ? &file->gzip : &file->plain);
	rq->reply.source.coding = gzip ? CODING_GZIP : CODING_IDENTITY;
	snprintf(rq->reply.etag, sizeof(rq->reply.etag), "\"%s%s\"", file->digest, gzip ? "-gzip" : "");
	return 0;
}

/* From a folder, which is closed, to what lies in it. -1 as the folder: nothing is opened, and errno stays. */
static int
go_to(int folder, const char *name, int flags)
{
	int fd, why;

	if (folder < 0)
		return -1;
	fd = openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC);
	why = errno;
	close(folder);
	errno = why;
	return fd;
}

/*
 * Opens a file below the root. Neither its folder nor the file may be a symbolic link, which may lead elsewhere. A pipe
 * without a writer keeps nobody waiting. -1: errno says why.
 */
static int
open_below(const char *root, const char *folder, const char *name)
{
	int within = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (folder != NULL)
		within = go_to(within, folder, O_PATH | O_DIRECTORY);
	return go_to(within, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
}

/* Reads what the file has now, which may be less than it had. -1: errno says why. */
static ssize_t
read_all(int fd, char *bytes, size_t size)
{
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len < size) {
		n = read(fd, bytes + len, size - len);
		len += n > 0 ? (size_t)n : 0;
	}
	return n < 0 ? -1 : (ssize_t)len;
}

static int
read_opened(struct request *rq, int fd, const char *path, struct web_bytes *out, struct err *e)
{
	struct stat st;
	char *bytes;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return refuse(path, errno == ELOOP ? "symbolic links are not followed" : strerror(errno), e);
	if (!S_ISREG(st.st_mode))
		return refuse(path, "it is not a regular file", e);
	if ((size_t)st.st_size > WEB_FILE_BYTES_MAX)
		return refuse(path, "it is larger than 4 MiB", e);
	bytes = workspace_array(&rq->workspace, (size_t)st.st_size, 1, e);
	if (bytes == NULL)
		return -1;
	n = read_all(fd, bytes, (size_t)st.st_size);
	if (n < 0)
		return refuse(path, strerror(errno), e);
	*out = (struct web_bytes){ (size_t)n, bytes };
	return 0;
}

static int
answer_from_disk(struct request *rq, const char *folder, const char *name, const char *path, struct err *e)
{
	struct web_bytes *bytes;
	int fd, rc;

	if (media_type_of(path) == NULL)
		return refuse(path, "files of this type are not served", e);
	bytes = workspace_alloc(&rq->workspace, sizeof(*bytes), e);
	if (bytes == NULL)
		return -1;
	fd = open_below(rq->web->root, folder, name);
	rc = read_opened(rq, fd, path, bytes, e);
	if (fd >= 0)
		close(fd);
	if (rc < 0)
		return -1;
	answer_bytes(&rq->reply, path, bytes);
	rq->reply.source.from_arena = true;
	return 0;
}

int
web_answer(struct request *rq, const char *folder, const char *name, struct err *e)
{
	char path[2 * STORE_NAME_MAX + 2];

	snprintf(path, sizeof(path), "%s%s%s", folder == NULL ? "" : folder, folder == NULL ? "" : "/", name);
	if (rq->web == NULL)
		return refuse(path, "the pages are off (--web)", e);
	return *rq->web->root == '\0' ? answer_built_in(rq, path, e) : answer_from_disk(rq, folder, name, path, e);
}

int
web_play_get(struct request *rq, struct err *e)
{
	return web_answer(rq, NULL, "play.html", e);
}

/* The pages themselves have paths of their own: what they name is relative to those. */
int
web_file_get(struct request *rq, struct err *e)
{
	const char *ending = strrchr(rq->web_file, '.');

	if (ending != NULL && strcmp(ending, ".html") == 0)
		return refuse(rq->web_file, "pages are / and /play", e);
	return web_answer(rq, rq->web_folder, rq->web_file, e);
}
