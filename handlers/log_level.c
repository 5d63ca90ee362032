/* SPDX-License-Identifier: MIT */
/* GET and PUT /v1/log-level: which lines the log has, as --log-level set it at the start. A restart forgets it. */
#include "base/log.h"
#include "handlers/handlers.h"
#include "handlers/option.h"

static const struct input level_input = { "level", INPUT_CHOICE, INPUT_BODY, .needed = true,
	.choices = log_level_names };

const struct input *const log_level_inputs[] = { &level_input, NULL };

static void
show(struct request *rq, enum log_level level)
{
	buf_printf(&rq->reply.text, "{\"level\":\"%s\"}", log_level_names[level]);
}

int
log_level_get(struct request *rq, struct err *e)
{
	(void)e;
	show(rq, log_level());
	return 0;
}

int
log_level_put(struct request *rq, struct err *e)
{
	uint64_t level = 0;

	if (option_get(rq, &level_input, &level, e) < 0)
		return -1;
	show(rq, (enum log_level)level);
	if (reply_failed(&rq->reply))
		return err_fail_memory(e);
	log_set_level((enum log_level)level, "PUT /v1/log-level");
	return 0;
}
