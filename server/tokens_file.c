/* SPDX-License-Identifier: MIT */
#include "server/tokens_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/sandbox.h"

static int
fail(const char *path, const char *what, struct err *e)
{
	return err_fail(e, ERR_BAD_PARAMETER, "%.200s cannot be %s: %s", path, what, sandbox_strerror(path));
}

/* Checks what was opened, not what the path names by then. */
static int
check_file(int fd, const char *path, struct stat *st, struct err *e)
{
	if (fstat(fd, st) < 0)
		return fail(path, "read", e);
	if (!S_ISREG(st->st_mode))
		return err_fail(e, ERR_BAD_PARAMETER, "%.200s is not a file of tokens: it is not a regular file", path);
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "%.200s has the mode %04o: others than its owner can write it and so give themselves access; run "
		    "chmod go-w on it",
		    path, (unsigned)st->st_mode & 07777);
	if (st->st_size > (off_t)TOKENS_FILE_MAX)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "%.200s has %lld bytes; a file of tokens has at most %zu: does --tokens name the right file?", path,
		    (long long)st->st_size, TOKENS_FILE_MAX);
	return 0;
}

/* Reads all of the file, which may grow meanwhile, up to one byte more than a file may have. NULL with `e`. */
static char *
read_all(int fd, const char *path, size_t *len, struct err *e)
{
	char *text = malloc(TOKENS_FILE_MAX + 1);
	ssize_t n = 1;

	if (text == NULL) {
		err_set_memory(e);
		return NULL;
	}
	for (*len = 0; n != 0 && *len <= TOKENS_FILE_MAX; *len += n > 0 ? (size_t)n : 0) {
		n = pread(fd, text + *len, TOKENS_FILE_MAX + 1 - *len, (off_t)*len);
		if (n < 0 && errno != EINTR) {
			(void)fail(path, "read", e);
			free(text);
			return NULL;
		}
	}
	if (*len <= TOKENS_FILE_MAX)
		return text;
	err_set(e, ERR_BAD_PARAMETER, "%.200s has more than %zu bytes", path, TOKENS_FILE_MAX);
	free(text);
	return NULL;
}

struct tokens *
tokens_file_read(const char *path, struct err *e)
{
	/* Non-blocking, so that a pipe is refused and not waited for. */
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct tokens *tokens = NULL;
	char *text = NULL;
	struct stat st;
	size_t len;

	if (fd < 0) {
		(void)fail(path, "opened", e);
		return NULL;
	}
	if (check_file(fd, path, &st, e) == 0 && (text = read_all(fd, path, &len, e)) != NULL)
		tokens = tokens_parse(text, len, path, false, e);
	free(text);
	close(fd);
	return tokens;
}

/* Makes a new file's name last. */
static void
sync_directory(const char *path)
{
	char directory[4096];
	const char *slash = strrchr(path, '/');
	int fd;

	snprintf(directory, sizeof(directory), "%.*s",
	    slash == NULL     ? 1 :
		slash == path ? 1 :
				(int)(slash - path),
	    slash == NULL ? "." : path);
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fsync(fd); /* some file systems cannot */
	close(fd);
}

static int
write_all(int fd, const char *text, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Whether the path still names the open file: another program may have put a new one into its place. */
static bool
is_in_place(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Opens the file and locks it against others that append. -1 with `e`. */
static int
open_locked(const char *path, bool *made, struct err *e)
{
	int fd;

	for (;;) {
		*made = access(path, F_OK) < 0;
		fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
		if (fd < 0)
			return fail(path, "opened to add a token", e);
		while (flock(fd, LOCK_EX) < 0)
			if (errno != EINTR) {
				(void)fail(path, "locked", e);
				close(fd);
				return -1;
			}
		if (is_in_place(fd, path))
			return fd;
		close(fd);
	}
}

/* Writes the line to the locked file of `len` bytes `text`. */
static int
append_line(int fd, const char *path, const char *text, size_t len, const char *line, struct err *e)
{
	const bool unended = len > 0 && text[len - 1] != '\n';

	if (len + unended + strlen(line) > TOKENS_FILE_MAX)
		return err_fail(e, ERR_BAD_PARAMETER, "%.200s is full: it may have %zu bytes", path, TOKENS_FILE_MAX);
	if ((unended && write_all(fd, "\n", 1) < 0) || write_all(fd, line, strlen(line)) < 0 || fsync(fd) < 0)
		return err_fail(e, ERR_STORAGE_UNAVAILABLE, "%.200s cannot be written: %s", path, strerror(errno));
	return 0;
}

/* Undoes an append to a file of `len` bytes. A link that named no file before stays, with an empty file. */
static void
take_back(int fd, const char *path, size_t len, bool made)
{
	struct stat st;

	if (ftruncate(fd, (off_t)len) == 0)
		(void)fsync(fd);
	if (made && len == 0 && lstat(path, &st) == 0 && S_ISREG(st.st_mode))
		(void)unlink(path); /* those that wait for the lock see that it is not in place */
}

int
tokens_file_append(const char *path, const char *line, int (*then)(void *arg, struct err *e), void *arg, struct err *e)
{
	struct tokens *tokens = NULL;
	char *text = NULL;
	struct stat st;
	size_t len = 0;
	bool made;
	int result = -1, fd = open_locked(path, &made, e);

	if (fd < 0)
		return -1;
	if (check_file(fd, path, &st, e) < 0 || (text = read_all(fd, path, &len, e)) == NULL ||
	    (tokens = tokens_parse(text, len, path, true, e)) == NULL)
		goto out;
	result = append_line(fd, path, text, len, line, e);
	if (result == 0 && made)
		sync_directory(path);
	if (result == 0)
		result = then(arg, e);
	if (result < 0)
		take_back(fd, path, len, made);
out:
	tokens_free(tokens);
	free(text);
	close(fd);
	return result;
}

int
token_make(char out[TOKEN_TEXT_BYTES], struct err *e)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned char random[SHA256_BYTES + 1] = { 0 };
	char *p = out + snprintf(out, TOKEN_TEXT_BYTES, "normd_");

	if (getrandom(random, SHA256_BYTES, 0) != SHA256_BYTES)
		return err_fail(e, ERR_OVERLOADED, "the kernel gives no random bytes: %s", strerror(errno));
	/* 256 bits and two zeros are 43 digits. */
	for (size_t i = 0; i < SHA256_BYTES; i += 3) {
		const unsigned bits = (unsigned)(random[i] << 16 | random[i + 1] << 8 | random[i + 2]);

		for (unsigned shift = 24; shift > 0 && p < out + TOKEN_TEXT_BYTES - 1; shift -= 6)
			*p++ = alphabet[bits >> (shift - 6) & 63];
	}
	*p = '\0';
	return 0;
}
