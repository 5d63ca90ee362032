/* SPDX-License-Identifier: MIT */
#include "server/config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/suggest.h"
#include "server/config_file.h"
#include "server/rate.h"
#include "sync/sync.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define SYNC_TIMEOUT_MAX_S (SYNC_TIMEOUT_MS_MAX / 1000)
#define DAY_S 86400

/* Beyond these it is a mistake: ten years; 400 GB of keys. */
#define TEN_YEARS_S 315360000u
#define KEYS_MAX 4000000000u
#define CONNECTIONS_MAX 1000000

/* In the order of the enums. */
static const char *const sandboxes[] = { "off", "try", "require", NULL };
static const char *const switches[] = { "off", "on", NULL };
static const char *const log_levels[] = { "debug", "info", "warn", "error", NULL };
static const char *const log_formats[] = { "json", "text", NULL };

static const struct argument options[] = {
#define CONFIG_ARGUMENT(id, group, flag, env, takes, fallback, rule, help) { flag, takes, env, fallback, help },
	CONFIG_TABLE(CONFIG_ARGUMENT)
#undef CONFIG_ARGUMENT
};

/* Of the environment's variables. */
static const char prefix[] = "NORMD_";

static const struct mode {
	const char *flag;
	const char *help;
	size_t offset; /* of its bool in struct config */
} modes[] = {
#define CONFIG_MODE(member, flag, help) { flag, help, offsetof(struct config, member) },
	CONFIG_MODES(CONFIG_MODE)
#undef CONFIG_MODE
};

static const char *const mode_flags[] = {
#define CONFIG_MODE_FLAG(member, flag, help) flag,
	CONFIG_MODES(CONFIG_MODE_FLAG)
#undef CONFIG_MODE_FLAG
	    NULL
};

static const struct arguments arguments = {
	.program = "normd", .table = options, .count = CONFIG_OPTION_COUNT, .modes = mode_flags
};

#define MEMBER(member) .offset = offsetof(struct config, member)
#define ADDRESS(member) .parse = value_address, MEMBER(member)
#define PATH(member) .parse = value_path, MEMBER(member)
#define FLAG(member) .parse = value_flag, MEMBER(member)
#define ORIGINS(member) .parse = value_origins, MEMBER(member)
#define STORE(member) .parse = value_store, MEMBER(member)
#define SIZE(member, least) .parse = value_size, MEMBER(member), .min = (least)
#define TIME(member, least, most) .parse = value_time, MEMBER(member), .min = (least), .max = (most)
#define NUMBER(member, least, most) .parse = value_number, MEMBER(member), .min = (least), .max = (most)
#define CHOICE(member, names) .parse = value_choice, MEMBER(member), .choices = (names)

static const struct value_rule rules[] = {
#define CONFIG_RULE(id, group, flag, env, takes, fallback, rule, help) [CONFIG_##id] = { rule },
	CONFIG_TABLE(CONFIG_RULE)
#undef CONFIG_RULE
};

/* Settings of which one must not stand without the other; with `unset`: where the other is not its default. */
static const struct needs {
	enum config_option given;
	enum config_option needed;
	const char *why;
	bool unset;
} needs[] = {
	{ CONFIG_tls_cert, CONFIG_tls_key, "a certificate needs its private key", false },
	{ CONFIG_tls_key, CONFIG_tls_cert, "a private key needs its certificate", false },
	{ CONFIG_requests_per_second_max, CONFIG_tokens, "requests are counted by token", false },
	{ CONFIG_web_root, CONFIG_web, "only pages that are served are read from a folder", true },
};

/* A setting's name in the file. */
static const char *
name_of(enum config_option row)
{
	return options[row].flag + 2;
}

const char *
config_place(const struct config *c, enum config_option row, char out[CONFIG_PLACE_BYTES])
{
	const struct config_text *given = &c->texts[row];
	char shown[CONFIG_FILE_SHOWN];

	if (given->source == CONFIG_FROM_FILE)
		snprintf(out, CONFIG_PLACE_BYTES, "%s:%u: %s", config_file_show(c->config_file, shown), given->line,
		    name_of(row));
	else
		snprintf(out, CONFIG_PLACE_BYTES, "%s",
		    given->source == CONFIG_FROM_ENVIRONMENT ? options[row].env : options[row].flag);
	return out;
}

/* Begins an error's detail with the setting. */
static int
blame(const struct config *c, enum config_option row, struct err *e)
{
	char place[CONFIG_PLACE_BYTES];

	err_prepend(e, "%s ", config_place(c, row, place));
	return -1;
}

static int
parse(struct config *c, enum config_option row, struct err *e)
{
	void *out = (char *)c + rules[row].offset;

	return rules[row].parse(&rules[row], c->texts[row].text, out, e) < 0 ? blame(c, row, e) : 0;
}

/* "" and 0 are as good as nothing. */
static bool
is_set(const struct config *c, enum config_option row)
{
	const char *text = c->texts[row].text;

	return *text != '\0' && strcmp(text, options[row].fallback) != 0;
}

static int
check_needs(const struct config *c, struct err *e)
{
	for (size_t i = 0; i < COUNT(needs); i++)
		if (is_set(c, needs[i].given) && is_set(c, needs[i].needed) == needs[i].unset) {
			err_set(e, ERR_BAD_PARAMETER, "is set, but %s is %s: %s",
			    c->texts[needs[i].given].source == CONFIG_FROM_FILE ? name_of(needs[i].needed) :
										  options[needs[i].needed].flag,
			    needs[i].unset ? c->texts[needs[i].needed].text : "not", needs[i].why);
			return blame(c, needs[i].given, e);
		}
	return 0;
}

/* Shares out the memory; what there is may ask for smaller bodies. */
static int
plan_memory(struct config *c, struct err *e)
{
	const struct memory_wishes wishes = {
		.total = c->max_memory_bytes,
		.available = memory_limit_bytes(),
		.body_max = c->max_body_bytes,
		.body_fixed = c->texts[CONFIG_max_body].source != CONFIG_FROM_DEFAULT,
		.threads = c->thread_count,
		.tls = *c->tls_cert != '\0',
	};

	if (memory_plan_make(&wishes, &c->memory, e) < 0)
		return -1;
	c->max_body_bytes = c->memory.body_max;
	return 0;
}

static unsigned
count_cores(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return cores < 1 ? 1 : cores > CONFIG_THREADS_MAX ? CONFIG_THREADS_MAX : (unsigned)cores;
}

static int
parse_all(struct config *c, struct err *e)
{
	for (enum config_option row = 0; row < CONFIG_OPTION_COUNT; row++)
		if (parse(c, row, e) < 0)
			return -1;
	if (c->thread_count == 0)
		c->thread_count = count_cores();
	return check_needs(c, e) < 0 ? -1 : plan_memory(c, e);
}

static int
find_row(const char *name)
{
	for (int row = 0; row < CONFIG_OPTION_COUNT; row++)
		if (strcmp(options[row].flag + 2, name) == 0)
			return row;
	return -1;
}

static int
refuse_name(const char *name, struct err *e)
{
	char near[SUGGEST_BYTES];
	struct suggest s;

	suggest_begin(&s, name);
	for (size_t row = 0; row < CONFIG_OPTION_COUNT; row++)
		if (row != CONFIG_config)
			suggest_try(&s, options[row].flag + 2);
	return err_fail(e, ERR_BAD_PARAMETER, "there is no setting \"%.64s\"%s", name, suggest_text(&s, near));
}

/* A line of the file. The environment and the command line come later. */
static int
take_setting(struct config *c, const struct config_line *line, struct err *e)
{
	int row = find_row(line->name);

	if (row < 0)
		return refuse_name(line->name, e);
	if (row == CONFIG_config)
		return err_fail(
		    e, ERR_BAD_PARAMETER, "config cannot stand in the file: settings are read from one file");
	if (c->texts[row].source == CONFIG_FROM_FILE)
		return err_fail(e, ERR_BAD_PARAMETER, "%s is set again; line %u sets it to \"%.80s\"", line->name,
		    c->texts[row].line, c->texts[row].text);
	c->texts[row] = (struct config_text){ line->value, CONFIG_FROM_FILE, line->number };
	return 0;
}

static int
read_file(struct config *c, const char *path, struct err *e)
{
	char shown[CONFIG_FILE_SHOWN];
	struct config_line line;
	int more = 1;

	if (config_file_read(path, &c->file_text, e) < 0)
		return -1;
	line = config_file_begin(c->file_text);
	while (more > 0) {
		more = config_file_next(&line, e);
		if (more > 0 && take_setting(c, &line, e) < 0)
			more = -1;
	}
	if (more < 0)
		err_prepend(e, "%s:%u: ", config_file_show(path, shown), line.number);
	return more;
}

/* The texts of all settings; `given` has the command line's, NULL where it says nothing. */
static int
layer_texts(struct config *c, const char *const *given, struct err *e)
{
	const char *env[CONFIG_OPTION_COUNT];
	const char *path;

	for (size_t row = 0; row < CONFIG_OPTION_COUNT; row++) {
		env[row] = getenv(options[row].env);
		c->texts[row] = (struct config_text){ .text = options[row].fallback };
	}
	path = given[CONFIG_config] != NULL ? given[CONFIG_config] : env[CONFIG_config];
	c->config_file = path != NULL ? path : "";
	if (*c->config_file != '\0' && read_file(c, c->config_file, e) < 0)
		return -1;
	for (size_t row = 0; row < CONFIG_OPTION_COUNT; row++) {
		if (given[row] != NULL)
			c->texts[row] = (struct config_text){ given[row], CONFIG_FROM_COMMAND_LINE, 0 };
		else if (env[row] != NULL && *env[row] != '\0')
			c->texts[row] = (struct config_text){ env[row], CONFIG_FROM_ENVIRONMENT, 0 };
	}
	return 0;
}

/* False: it is none. */
static bool
take_mode(struct config *c, const char *arg)
{
	for (size_t i = 0; i < COUNT(modes); i++)
		if (strcmp(arg, modes[i].flag) == 0) {
			*(bool *)((char *)c + modes[i].offset) = true;
			return true;
		}
	c->help = c->help || arguments_ask_help(arg);
	return arguments_ask_help(arg);
}

static int
take_arguments(struct config *c, int argc, char *const *argv, const char **given, struct err *e)
{
	bool origins_given = false;
	int row;

	for (int i = 1; i < argc; i++) {
		if (take_mode(c, argv[i]))
			continue;
		row = arguments_take(&arguments, argc, argv, &i, given, e);
		if (row < 0)
			return -1;
		/* Of other options the last one counts; of these, one alone would be half of what was meant. */
		if (row == CONFIG_cors_origin && origins_given)
			return err_fail(e, ERR_BAD_PARAMETER,
			    "%s is given twice: list all origins in one value, separated by commas", options[row].flag);
		origins_given = origins_given || row == CONFIG_cors_origin;
	}
	return 0;
}

int
config_read(struct config *c, int argc, char *const *argv, struct err *e)
{
	const char *given[CONFIG_OPTION_COUNT] = { NULL };

	memset(c, 0, sizeof(*c));
	if (take_arguments(c, argc, argv, given, e) < 0)
		return -1;
	if (c->help || c->version)
		return 0;
	return layer_texts(c, given, e) < 0 ? -1 : parse_all(c, e);
}

const struct argument *
config_row(enum config_option row)
{
	return &options[row];
}

/* The variable of the setting whose name differs from this by a typing error alone. NULL: none. */
static const char *
meant_variable(const char *name)
{
	struct suggest s;

	suggest_begin(&s, name);
	for (size_t row = 0; row < CONFIG_OPTION_COUNT; row++)
		suggest_try(&s, options[row].env + sizeof(prefix) - 1);
	return suggest_is_typing_error(&s) ? s.best - (sizeof(prefix) - 1) : NULL;
}

static bool
is_variable(const char *name)
{
	for (size_t row = 0; row < CONFIG_OPTION_COUNT; row++)
		if (strcmp(options[row].env, name) == 0)
			return true;
	return false;
}

void
config_find_strays(void (*tell)(void *arg, const char *name, const char *meant), void *arg)
{
	char name[64];
	const char *meant;

	for (char **variable = environ; *variable != NULL; variable++) {
		const size_t len = strcspn(*variable, "=");

		if (len >= sizeof(name) || strncmp(*variable, prefix, sizeof(prefix) - 1) != 0)
			continue;
		memcpy(name, *variable, len);
		name[len] = '\0';
		meant = is_variable(name) ? NULL : meant_variable(name + sizeof(prefix) - 1);
		if (meant != NULL)
			tell(arg, name, meant);
	}
}

void
config_fini(struct config *c)
{
	free(c->file_text);
	c->file_text = NULL;
}

enum config_group
config_group_of(enum config_option row)
{
	static const enum config_group groups[] = {
#define CONFIG_ROW_GROUP(id, group, flag, env, takes, fallback, rule, help) CONFIG_GROUP_##group,
		CONFIG_TABLE(CONFIG_ROW_GROUP)
#undef CONFIG_ROW_GROUP
	};

	return groups[row];
}

const char *
config_group_title(enum config_group group)
{
	static const char *const titles[] = {
#define CONFIG_TITLE(name, title) title,
		CONFIG_GROUPS(CONFIG_TITLE)
#undef CONFIG_TITLE
	};

	return titles[group];
}

static void
print_settings(FILE *out)
{
	enum config_group group = CONFIG_GROUP_COUNT;

	for (enum config_option row = 0; row < CONFIG_OPTION_COUNT; row++) {
		if (config_group_of(row) != group) {
			group = config_group_of(row);
			fprintf(out, "\n%s:\n", config_group_title(group));
		}
		arguments_print_row(&options[row], out);
	}
}

void
config_help(FILE *out)
{
	fputs(
	    "normd: batch, layer, instance, group and RMS normalization over HTTP, with durable running statistics\n\n"
	    "usage: normd [OPTION VALUE]...\n"
	    "       normd COMMAND [OPTION VALUE]...\n",
	    out);
	print_settings(out);
	fputs("\nInstead of serving:\n", out);
	for (size_t i = 0; i < COUNT(modes); i++)
		arguments_print_row(&(struct argument){ .flag = modes[i].flag, .help = modes[i].help }, out);
	fputs("\nAn option wins over its environment variable, and that over the file's setting.\n"
	      "SIGTERM and SIGINT finish the running requests, then normd exits with 0.\n",
	    out);
}
