/* SPDX-License-Identifier: MIT */
#include "tests/disk/disk.h"

#include <stdlib.h>
#include <string.h>

#define SECTOR 512
#define NAMES_MAX 8

struct image {
	unsigned char *bytes;
	size_t size;
	size_t capacity;
};

/* A write, or (bytes NULL) a truncation. */
struct change {
	struct change *next;
	size_t offset; /* of a truncation: the new size */
	size_t n;
	unsigned char *bytes;
};

struct inode {
	unsigned references; /* open files, and names in either directory */
	struct image durable;
	struct image seen;
	struct change *first, **last; /* since the last sync */
};

struct name {
	char text[256];
	struct inode *inode; /* NULL: a free place */
};

struct directory {
	struct name names[NAMES_MAX];
};

/* Of the directory: a name was given to a file, or (inode NULL) taken away. */
struct name_change {
	struct name_change *next;
	char text[256];
	struct inode *inode;
};

struct disk {
	uint64_t random;
	struct directory durable;
	struct directory seen;
	struct name_change *first, **last; /* of the directory since its last sync */
	struct directory kept;             /* for disk_restore */

	struct disk_fault fault;
	unsigned calls;
	unsigned failures;
	unsigned cut_in; /* changes until the cut; 0: none is armed */
	bool off;
	bool lies;
	unsigned keep_percent; /* how likely the cut leaves a change as it is */
	unsigned generation;
};

/* Out of memory in a test ends the test. */
static void *
must(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

/* splitmix64 */
uint64_t
disk_random(struct disk *d)
{
	uint64_t z = d->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static bool
chance(struct disk *d, unsigned percent)
{
	return disk_random(d) % 100 < percent;
}

static void
image_resize(struct image *image, size_t size)
{
	if (size > image->capacity) {
		image->capacity = 2 * size;
		image->bytes = must(realloc(image->bytes, image->capacity));
	}
	if (size > image->size)
		memset(image->bytes + image->size, 0, size - image->size);
	image->size = size;
}

static void
image_write(struct image *image, const unsigned char *bytes, size_t n, size_t offset)
{
	if (n == 0)
		return;
	if (offset + n > image->size)
		image_resize(image, offset + n);
	memcpy(image->bytes + offset, bytes, n);
}

static void
image_copy(struct image *to, const struct image *from)
{
	image_resize(to, 0);
	image_write(to, from->bytes, from->size, 0);
}

static void
apply(struct image *image, const struct change *c)
{
	if (c->bytes == NULL)
		image_resize(image, c->offset);
	else
		image_write(image, c->bytes, c->n, c->offset);
}

static void
forget_changes(struct inode *inode)
{
	struct change *next;

	for (struct change *c = inode->first; c != NULL; c = next) {
		next = c->next;
		free(c->bytes);
		free(c);
	}
	inode->first = NULL;
	inode->last = &inode->first;
}

static struct inode *
inode_new(void)
{
	struct inode *inode = must(calloc(1, sizeof(*inode)));

	inode->last = &inode->first;
	return inode;
}

static void
inode_unref(struct inode *inode)
{
	if (inode == NULL || --inode->references > 0)
		return;
	forget_changes(inode);
	free(inode->durable.bytes);
	free(inode->seen.bytes);
	free(inode);
}

static struct name *
directory_find(struct directory *dir, const char *text)
{
	for (struct name *n = dir->names; n < dir->names + NAMES_MAX; n++)
		if (n->inode != NULL && strcmp(n->text, text) == 0)
			return n;
	return NULL;
}

/* inode NULL: takes the name away. */
static void
directory_set(struct directory *dir, const char *text, struct inode *inode)
{
	struct name *n = directory_find(dir, text);

	for (struct name *free_place = dir->names; n == NULL && free_place < dir->names + NAMES_MAX; free_place++)
		if (free_place->inode == NULL)
			n = free_place;
	if (n == NULL)
		abort();
	if (inode != NULL)
		inode->references++;
	inode_unref(n->inode);
	n->inode = inode;
	strncpy(n->text, text, sizeof(n->text) - 1);
}

static void
directory_clear(struct directory *dir)
{
	for (struct name *n = dir->names; n < dir->names + NAMES_MAX; n++) {
		inode_unref(n->inode);
		n->inode = NULL;
	}
}

static void
directory_copy(struct directory *to, const struct directory *from)
{
	directory_clear(to);
	for (const struct name *n = from->names; n < from->names + NAMES_MAX; n++)
		if (n->inode != NULL)
			directory_set(to, n->text, n->inode);
}

static void
change_name(struct disk *d, const char *text, struct inode *inode)
{
	struct name_change *c = must(calloc(1, sizeof(*c)));

	strncpy(c->text, text, sizeof(c->text) - 1);
	c->inode = inode;
	if (inode != NULL)
		inode->references++;
	*d->last = c;
	d->last = &c->next;
	directory_set(&d->seen, text, inode);
}

/* Applies each pending change of a name with the given likelihood, and forgets them. */
static void
settle_names(struct disk *d, unsigned percent)
{
	struct name_change *next;

	for (struct name_change *c = d->first; c != NULL; c = next) {
		next = c->next;
		if (chance(d, percent))
			directory_set(&d->durable, c->text, c->inode);
		inode_unref(c->inode);
		free(c);
	}
	d->first = NULL;
	d->last = &d->first;
}

/* Each sector that the write touches gets there or does not. */
static void
tear(struct disk *d, struct image *image, const struct change *c)
{
	size_t end = c->offset + c->n, next;

	for (size_t at = c->offset; at < end; at = next) {
		next = at - at % SECTOR + SECTOR < end ? at - at % SECTOR + SECTOR : end;
		if (chance(d, 50))
			image_write(image, c->bytes + (at - c->offset), next - at, at);
	}
}

/* The file may have become longer without the bytes: then they are zeros, or whatever was there before. */
static void
lengthen(struct disk *d, struct image *image, const struct change *c)
{
	size_t from = image->size, to = c->offset + c->n;

	if (to <= from || !chance(d, 30))
		return;
	image_resize(image, to);
	if (chance(d, 50))
		for (size_t i = from; i < to; i++)
			image->bytes[i] = (unsigned char)disk_random(d);
}

/* What a cut does to a change that was not synced. */
static void
cut_change(struct disk *d, struct image *image, const struct change *c)
{
	if (chance(d, d->keep_percent)) {
		apply(image, c);
		return;
	}
	if (c->bytes == NULL)
		return;
	lengthen(d, image, c);
	switch (disk_random(d) % 4) {
	case 0:
		break;
	case 1:
		image_write(image, c->bytes, c->n / 2, c->offset);
		break;
	case 2:
		image_write(image, c->bytes + c->n / 2, c->n - c->n / 2, c->offset + c->n / 2);
		break;
	default:
		tear(d, image, c);
	}
}

static void
settle_file(struct disk *d, struct inode *inode)
{
	for (struct change *c = inode->first; c != NULL; c = c->next)
		cut_change(d, &inode->durable, c);
	forget_changes(inode);
	image_copy(&inode->seen, &inode->durable);
}

static void
flush_file(struct inode *inode)
{
	for (struct change *c = inode->first; c != NULL; c = c->next)
		apply(&inode->durable, c);
	forget_changes(inode);
}

static void
disarm(struct disk *d)
{
	d->fault = (struct disk_fault){ 0 };
	d->calls = 0;
	d->failures = 0;
	d->cut_in = 0;
	d->off = false;
	d->generation++;
}

struct disk *
disk_new(uint64_t seed)
{
	struct disk *d = must(calloc(1, sizeof(*d)));

	d->last = &d->first;
	disk_format(d, seed);
	return d;
}

void
disk_format(struct disk *d, uint64_t seed)
{
	settle_names(d, 0);
	directory_clear(&d->durable);
	directory_clear(&d->seen);
	d->random = seed;
	disarm(d);
}

void
disk_free(struct disk *d)
{
	disk_format(d, 0);
	directory_clear(&d->kept);
	free(d);
}

/* A copy of each file, so that what happens to the files leaves it alone. */
static void
copy_files(struct directory *to, const struct directory *from)
{
	directory_clear(to);
	for (const struct name *n = from->names; n < from->names + NAMES_MAX; n++) {
		struct inode *copy;

		if (n->inode == NULL)
			continue;
		copy = inode_new();
		image_copy(&copy->durable, &n->inode->seen);
		image_copy(&copy->seen, &n->inode->seen);
		directory_set(to, n->text, copy);
	}
}

void
disk_keep(struct disk *d)
{
	copy_files(&d->kept, &d->seen);
}

void
disk_restore(struct disk *d, uint64_t seed)
{
	disk_format(d, seed);
	copy_files(&d->durable, &d->kept);
	directory_copy(&d->seen, &d->durable);
}

void
disk_fail(struct disk *d, struct disk_fault fault)
{
	d->fault = fault;
	d->calls = 0;
	d->failures = 0;
}

unsigned
disk_failures(const struct disk *d)
{
	return d->failures;
}

void
disk_cut_at(struct disk *d, unsigned nth)
{
	d->cut_in = nth;
}

void
disk_cut(struct disk *d)
{
	d->off = true;
}

bool
disk_is_off(const struct disk *d)
{
	return d->off;
}

void
disk_lie(struct disk *d, bool lies)
{
	d->lies = lies;
}

void
disk_power_on(struct disk *d)
{
	static const unsigned percents[] = { 0, 0, 10, 50, 50, 90, 97, 100 };

	d->keep_percent = percents[disk_random(d) % (sizeof(percents) / sizeof(percents[0]))];
	settle_names(d, d->keep_percent);
	directory_copy(&d->seen, &d->durable);
	for (struct name *n = d->seen.names; n < d->seen.names + NAMES_MAX; n++)
		if (n->inode != NULL)
			settle_file(d, n->inode);
	disarm(d);
}

void
disk_kill(struct disk *d)
{
	for (struct name *n = d->seen.names; n < d->seen.names + NAMES_MAX; n++) {
		if (n->inode == NULL)
			continue;
		image_copy(&n->inode->seen, &n->inode->durable);
		for (struct change *c = n->inode->first; c != NULL; c = c->next)
			apply(&n->inode->seen, c);
	}
	disarm(d);
}

bool
disk_alive(const struct disk *d, unsigned generation)
{
	return d->generation == generation;
}

/* Counts the call and says what the fault makes of it. */
static enum disk_result
enter(struct disk *d, enum disk_op op)
{
	if (d->off)
		return DISK_FAILED;
	if (d->fault.nth == 0 || d->fault.op != op)
		return DISK_OK;
	d->calls++;
	if (d->calls < d->fault.nth || (d->calls > d->fault.nth && !d->fault.lasting))
		return DISK_OK;
	d->failures++;
	return d->fault.full ? DISK_NO_SPACE : DISK_FAILED;
}

/* Whether the power goes while this change is under way. */
static bool
cut_strikes(struct disk *d)
{
	if (d->cut_in == 0 || --d->cut_in > 0)
		return false;
	d->off = true;
	return true;
}

enum disk_result
disk_open(struct disk *d, const char *name, bool create, struct inode **file, unsigned *generation)
{
	enum disk_result result = enter(d, DISK_OPEN);
	struct name *found = name == NULL ? NULL : directory_find(&d->seen, name);

	if (result != DISK_OK)
		return result;
	if (found == NULL && name != NULL && !create)
		return DISK_NO_SUCH_FILE;
	*file = found != NULL ? found->inode : inode_new();
	(*file)->references++;
	*generation = d->generation;
	if (found != NULL || name == NULL)
		return DISK_OK;
	change_name(d, name, *file);
	if (!cut_strikes(d))
		return DISK_OK;
	inode_unref(*file);
	return DISK_FAILED;
}

void
disk_close(struct disk *d, struct inode *file)
{
	(void)d;
	inode_unref(file);
}

enum disk_result
disk_read(struct disk *d, struct inode *file, void *bytes, size_t n, size_t offset, size_t *got)
{
	enum disk_result result = enter(d, DISK_READ);

	if (result != DISK_OK)
		return result;
	*got = offset >= file->seen.size ? 0 : file->seen.size - offset;
	*got = *got < n ? *got : n;
	if (*got > 0)
		memcpy(bytes, file->seen.bytes + offset, *got);
	return DISK_OK;
}

static void
add_change(struct inode *file, const void *bytes, size_t n, size_t offset)
{
	struct change *c = must(calloc(1, sizeof(*c)));

	c->offset = offset;
	c->n = n;
	if (bytes != NULL)
		c->bytes = memcpy(must(malloc(n + 1)), bytes, n);
	*file->last = c;
	file->last = &c->next;
	apply(&file->seen, c);
}

enum disk_result
disk_write(struct disk *d, struct inode *file, const void *bytes, size_t n, size_t offset)
{
	enum disk_result result = enter(d, DISK_WRITE);

	if (d->off)
		return result;
	/* A write that fails may have done part of it. */
	if (result != DISK_OK)
		n = disk_random(d) % n;
	if (n > 0)
		add_change(file, bytes, n, offset);
	return cut_strikes(d) ? DISK_FAILED : result;
}

enum disk_result
disk_truncate(struct disk *d, struct inode *file, size_t size)
{
	enum disk_result result = enter(d, DISK_TRUNCATE);

	if (result != DISK_OK)
		return result;
	add_change(file, NULL, 0, size);
	return cut_strikes(d) ? DISK_FAILED : DISK_OK;
}

/* Of what the sync should have written, some got there and the rest counts as clean. */
static void
lose_changes(struct disk *d, struct inode *file)
{
	unsigned percent = (unsigned)(disk_random(d) % 3) * 50;

	for (struct change *c = file->first; c != NULL; c = c->next)
		if (chance(d, percent))
			apply(&file->durable, c);
	forget_changes(file);
}

enum disk_result
disk_sync(struct disk *d, struct inode *file, bool directory_too)
{
	enum disk_result result = enter(d, DISK_SYNC);

	if (result != DISK_OK) {
		if (!d->off && d->fault.loses)
			lose_changes(d, file);
		return result;
	}
	if (cut_strikes(d))
		return DISK_FAILED;
	if (d->lies)
		return DISK_OK;
	flush_file(file);
	if (directory_too)
		settle_names(d, 100);
	return DISK_OK;
}

enum disk_result
disk_size(struct disk *d, struct inode *file, size_t *size)
{
	enum disk_result result = enter(d, DISK_SIZE);

	*size = file->seen.size;
	return result;
}

enum disk_result
disk_delete(struct disk *d, const char *name, bool sync_directory)
{
	enum disk_result result = enter(d, DISK_DELETE);

	if (result != DISK_OK)
		return result;
	if (directory_find(&d->seen, name) == NULL)
		return DISK_NO_SUCH_FILE;
	change_name(d, name, NULL);
	if (cut_strikes(d))
		return DISK_FAILED;
	if (sync_directory && !d->lies)
		settle_names(d, 100);
	return DISK_OK;
}

size_t
disk_exists(struct disk *d, const char *name)
{
	struct name *found = d->off ? NULL : directory_find(&d->seen, name);

	return found == NULL ? 0 : found->inode->seen.size;
}
