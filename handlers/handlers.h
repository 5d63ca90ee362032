/* SPDX-License-Identifier: MIT */
/*
 * The functions of the handlers, one file per resource, and what each route takes (input.h). routes.c ties them to
 * methods and paths; the members of struct route say what each function does.
 */
#ifndef HANDLERS_HANDLERS_H
#define HANDLERS_HANDLERS_H

#include "handlers/input.h"

/* root.c */
int root_get(struct request *rq, struct err *e);

/* health.c */
int health_get_live(struct request *rq, struct err *e);
int health_get_ready(struct request *rq, struct err *e);

/* backup.c */
int backup_get(struct request *rq, struct err *e);
int backup_get_finish(struct request *rq, struct err *e);

/* models.c */
int models_list(struct request *rq, struct err *e);
int models_list_finish(struct request *rq, struct err *e);
int model_get(struct request *rq, struct err *e);
int model_get_finish(struct request *rq, struct err *e);
int model_delete(struct request *rq, struct err *e);
extern const struct input *const page_inputs[];
size_t models_values(const struct request *rq);
size_t layers_values(const struct request *rq);

/* layers.c */
int layer_put(struct request *rq, struct err *e);
int layer_put_finish(struct request *rq, struct err *e);
int layer_get(struct request *rq, struct err *e);
int layer_delete(struct request *rq, struct err *e);

/* models.c: the answer of every deletion */
int no_content_finish(struct request *rq, struct err *e);

/* train.c */
extern const struct input *const train_inputs[];
int train_start(struct request *rq, struct err *e);
int train_joined(struct request *rq, struct err *e);
void train_meanwhile(struct request *rq);
int train_finish(struct request *rq, struct err *e);

/* merge.c */
extern const struct input *const statistics_merge_inputs[];
int statistics_merge(struct request *rq, struct err *e);
int statistics_merge_finish(struct request *rq, struct err *e);

/* infer.c */
extern const struct input *const infer_inputs[];
int infer_start(struct request *rq, struct err *e);

/* backward.c */
extern const struct input *const backward_inputs[];
int backward_start(struct request *rq, struct err *e);
int backward_joined(struct request *rq, struct err *e);

/* statistics.c */
int statistics_get(struct request *rq, struct err *e);
extern const struct input *const statistics_put_inputs[];
int statistics_put(struct request *rq, struct err *e);
int statistics_put_finish(struct request *rq, struct err *e);
int statistics_reset(struct request *rq, struct err *e);
int statistics_reset_finish(struct request *rq, struct err *e);

/* parameters.c */
int parameters_get(struct request *rq, struct err *e);
extern const struct input *const parameters_put_inputs[];
int parameters_put(struct request *rq, struct err *e);
int parameters_put_finish(struct request *rq, struct err *e);
size_t parameters_values(const struct request *rq);

/* affine.c */
int affine_get(struct request *rq, struct err *e);

/* normalize.c */
extern const struct input *const normalize_inputs[];
int normalize_once(struct request *rq, struct err *e);

#endif
