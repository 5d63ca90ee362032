/* SPDX-License-Identifier: MIT */
#include "server/sandbox_places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "storage/sqlite_url.h"
#include "storage/store.h"

#define SQLITE_TMPDIR "SQLITE_TMPDIR"

static void
add_place(struct sandbox_places *places, enum sandbox_access access, const char *path, size_t len)
{
	struct sandbox_place *place = &places->list[places->count];

	if (places->count == SANDBOX_PLACES_MAX || len >= sizeof(place->path))
		return; /* and so it is denied */
	memcpy(place->path, path, len);
	place->path[len] = '\0';
	place->access = access;
	places->count++;
}

/* Adds the directory of a file. */
static void
add_directory(struct sandbox_places *places, enum sandbox_access access, const char *file)
{
	const char *slash = strrchr(file, '/');

	if (slash == NULL)
		add_place(places, access, ".", 1);
	else
		add_place(places, access, file, slash == file ? 1 : (size_t)(slash - file));
}

/* Adds the directories that `file` and what it leads to lie in. "": none. */
static void
add_directories(struct sandbox_places *places, enum sandbox_access access, const char *file)
{
	char *target = *file == '\0' ? NULL : realpath(file, NULL);

	if (*file != '\0')
		add_directory(places, access, file);
	if (target != NULL)
		add_directory(places, access, target);
	free(target);
}

static void
add_file_of_store(void *arg, const char *path, bool alone)
{
	struct stat st;

	if (alone || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
		add_place(arg, SANDBOX_READ, path, strlen(path));
	else
		add_directories(arg, SANDBOX_READ, path);
}

/* The files that the resolver and TLS read, which may be replaced. */
static void
add_network(struct sandbox_places *places, const char *url)
{
	places->connects = true;
	add_directories(places, SANDBOX_READ, "/etc/resolv.conf");
	store_find_files(url, add_file_of_store, places);
}

static void
add_store(struct sandbox_places *places, const char *url)
{
	struct err not_a_file;
	const char *path = sqlite_url_path(url, &not_a_file), *temporary = getenv(SQLITE_TMPDIR);
	const size_t first = places->count;

	if (path == NULL) {
		add_network(places, url);
		return;
	}
	add_directories(places, SANDBOX_CHANGE, path);
	if (temporary != NULL && *temporary != '\0')
		add_place(places, SANDBOX_CHANGE, temporary, strlen(temporary));
	else if (places->count > first)
		(void)setenv(SQLITE_TMPDIR, places->list[first].path, 1);
}

/* What every process needs. */
static void
begin(struct sandbox_places *places)
{
	static const char own[] = "/proc/self", random[] = "/dev/urandom";

	places->count = 0;
	places->connects = false;
	places->proc = open(own, O_PATH | O_DIRECTORY | O_CLOEXEC);
#ifdef INSTRUMENTED /* such a build reads its own program, and writes what it has measured */
	add_place(places, SANDBOX_ALL, "/", 1);
#endif
	add_place(places, SANDBOX_READ, own, sizeof(own) - 1);
	add_place(places, SANDBOX_READ, random, sizeof(random) - 1); /* by which SQLite begins its random numbers */
}

void
sandbox_places_find(struct sandbox_places *places, const struct config *config)
{
	begin(places);
	add_store(places, config->store);
	add_directories(places, SANDBOX_READ, config->tokens);
	add_directories(places, SANDBOX_READ, config->tls_cert);
	add_directories(places, SANDBOX_READ, config->tls_key);
	add_directories(places, SANDBOX_REPLACE, config->port_file);
	if (*config->web_root != '\0')
		add_place(places, SANDBOX_READ, config->web_root, strlen(config->web_root));
}

void
sandbox_places_of_copy(struct sandbox_places *places, const char *from_url, const char *to_url)
{
	begin(places);
	add_store(places, from_url);
	add_store(places, to_url);
}

void
sandbox_places_of_command(struct sandbox_places *places, const char *from, const char *store_url)
{
	static const char *const temporary[] = { "/var/tmp", "/usr/tmp", "/tmp" };
	struct err not_a_file;
	const char *path = sqlite_url_path(store_url, &not_a_file), *chosen = getenv("TMPDIR");

	begin(places);
	add_directories(places, SANDBOX_READ, from);
	add_store(places, store_url);
	if (path == NULL || path_folder_is_writable(path))
		return;
	if (chosen != NULL)
		add_place(places, SANDBOX_CHANGE, chosen, strlen(chosen));
	for (size_t i = 0; i < sizeof(temporary) / sizeof(temporary[0]); i++)
		add_place(places, SANDBOX_CHANGE, temporary[i], strlen(temporary[i]));
}

int
sandbox_places_check(const struct sandbox_places *places, struct err *e)
{
	static const struct {
		const char *settings, *rights;
	} words[] = {
		[SANDBOX_READ] = { "--tokens, --tls-cert, --tls-key, --web-root or --store", "read" },
		[SANDBOX_REPLACE] = { "--port-file", "replace" },
		[SANDBOX_CHANGE] = { "--store or " SQLITE_TMPDIR, "read and change" },
	};
	struct stat root, st;

	if (stat("/", &root) < 0)
		return err_fail(e, ERR_OVERLOADED, "/ cannot be looked at: %s", strerror(errno));
	for (const struct sandbox_place *p = places->list; p < places->list + places->count; p++)
		if (p->access != SANDBOX_ALL && stat(p->path, &st) == 0 && st.st_dev == root.st_dev &&
		    st.st_ino == root.st_ino)
			return err_fail(e, ERR_BAD_PARAMETER,
			    "%s is / or directly in it, so normd may %s all files: use a folder of its own",
			    words[p->access].settings, words[p->access].rights);
	return 0;
}
