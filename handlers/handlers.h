/* SPDX-License-Identifier: MIT */
/*
 * The handlers' functions, one file per resource; routes.c ties them to methods and paths. Their contract is struct
 * route's.
 */
#ifndef HANDLERS_HANDLERS_H
#define HANDLERS_HANDLERS_H

#include "handlers/request.h"

/* root.c */
int root(struct request *rq, struct err *e);

/* health.c */
int health_live(struct request *rq, struct err *e);
int health_ready(struct request *rq, struct err *e);

/* backup.c */
int backup(struct request *rq, struct err *e);
int backup_finish(struct request *rq, struct err *e);

/* models.c */
int models_list(struct request *rq, struct err *e);
int models_list_finish(struct request *rq, struct err *e);
int model_get(struct request *rq, struct err *e);
int model_get_finish(struct request *rq, struct err *e);
int model_delete(struct request *rq, struct err *e);
size_t page_values(const struct request *rq);

/* layers.c */
int layer_put(struct request *rq, struct err *e);
int layer_put_finish(struct request *rq, struct err *e);
int layer_get(struct request *rq, struct err *e);
int layer_delete(struct request *rq, struct err *e);

/* models.c: the answer of a deletion */
int deleted_finish(struct request *rq, struct err *e);

/* train.c */
int train(struct request *rq, struct err *e);
int train_joined(struct request *rq, struct err *e);
void train_meanwhile(struct request *rq);
int train_finish(struct request *rq, struct err *e);

/* merge.c */
int statistics_merge(struct request *rq, struct err *e);
int statistics_merge_finish(struct request *rq, struct err *e);

/* infer.c */
int infer(struct request *rq, struct err *e);

/* backward.c */
int backward(struct request *rq, struct err *e);
int backward_joined(struct request *rq, struct err *e);

/* statistics.c */
int statistics_get(struct request *rq, struct err *e);
int statistics_put(struct request *rq, struct err *e);
int statistics_put_finish(struct request *rq, struct err *e);
int statistics_reset(struct request *rq, struct err *e);
int statistics_reset_finish(struct request *rq, struct err *e);

/* parameters.c */
int parameters_get(struct request *rq, struct err *e);
int parameters_put(struct request *rq, struct err *e);
int parameters_put_finish(struct request *rq, struct err *e);
size_t parameters_values(const struct request *rq);

/* affine.c */
int affine_get(struct request *rq, struct err *e);

/* normalize.c */
int normalize_once(struct request *rq, struct err *e);

#endif
