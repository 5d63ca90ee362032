/* SPDX-License-Identifier: MIT */
/*
 * The functions of the handlers, one file per resource, and what each route takes (input.h). routes.c ties them to
 * methods and paths; the members of struct route say what each function does.
 */
#pragma once

#include "handlers/page.h"

/* A step of a request; -1 with `e`. */
typedef int handler(struct request *rq, struct err *e);

/* How long an answer takes to write, as a number of numbers. */
typedef size_t answer_values(const struct request *rq);

/*
 * web.c: web_answer answers the file `name` of web/, or of the folder there, as the client takes it; no_such_route if
 * there is none
 */
handler web_play_get, web_file_get;
int web_answer(struct request *rq, const char *folder, const char *name, struct err *e) MUST_CHECK;

/* root.c, openapi.c, health.c, backup.c */
handler root_get, openapi_get, health_get_live, health_get_ready, backup_get, backup_get_finish;

/* root.c, oip_model.c, oip_repository.c, oip_stats.c: the Open Inference Protocol, but for its calls */
extern const struct input *const oip_index_inputs[], *const oip_repository_inputs[];
handler oip_server_get, oip_metadata_get, oip_config_get, oip_describe_finish, oip_ready_get, oip_ready_get_finish;
handler oip_index_post, oip_index_post_finish, oip_repository_post, oip_load_finish, oip_unload_finish;
handler oip_stats_all, oip_stats_get, oip_stats_get_finish;
answer_values oip_stats_values;

/* log_level.c */
extern const struct input *const log_level_inputs[];
handler log_level_get, log_level_put;

/* models.c; no_content_finish answers every deletion */
handler models_list, models_list_finish, model_get, model_get_finish, model_delete, no_content_finish;
answer_values models_values, layers_values;
void model_delete_end(struct request *rq);

/* layers.c */
extern const struct input *const layer_get_inputs[];
handler layer_put, layer_put_finish, layer_get, layer_delete;

/* train.c */
extern const struct input *const train_inputs[];
handler train_start, train_joined, train_finish;
void train_meanwhile(struct request *rq);

/* infer.c */
extern const struct input *const infer_inputs[];
handler infer_start;

/* oip_infer.c, oip_train.c: the Open Inference Protocol */
extern const struct input *const oip_infer_inputs[];
handler oip_infer_start, oip_infer_finish;
void oip_infer_meanwhile(struct request *rq);
void oip_infer_end(struct request *rq);

/* backward.c */
extern const struct input *const backward_inputs[];
handler backward_start, backward_joined;

/*
 * statistics.c; merge.c: counts_finish answers what a change has led to; counts_unchanged the present state, for a call
 * that has nothing to add, which a frozen layer refuses like any other of its kind
 */
extern const struct input *const statistics_put_inputs[], *const statistics_merge_inputs[],
							      *const statistics_get_inputs[];
handler statistics_get, statistics_put, statistics_put_finish, statistics_reset, statistics_reset_finish;
handler statistics_merge, counts_finish, counts_unchanged;

/* source_calls.c, sources_list.c, sources_compact.c */
extern const struct input *const source_put_inputs[], *const sources_compact_inputs[];
handler source_put, source_get, source_get_finish, source_delete, source_delete_finish;
handler sources_list, sources_list_finish, sources_compact;
answer_values sources_values;

/* drift.c, report.c */
extern const struct input *const drift_inputs[], *const report_inputs[];
handler drift_get, drift_get_finish, drift_reset, report_start;

/* history.c */
handler history_get, history_get_finish;
answer_values history_values;

/* metrics.c */
handler metrics_get;
answer_values metrics_values;

/* parameters.c, affine.c */
extern const struct input *const parameters_put_inputs[], *const parameters_get_inputs[], *const affine_inputs[];
handler parameters_get, parameters_put, parameters_put_finish, affine_get;
answer_values parameters_values;

/* frozen.c */
extern const struct input *const frozen_inputs[], *const model_frozen_inputs[];
handler frozen_get, frozen_put, frozen_put_finish, model_frozen_put, model_frozen_put_finish;

/* versions.c, version_create.c */
extern const struct input *const version_create_inputs[];
handler version_create, version_create_finish, version_list, version_list_finish, version_get, version_get_finish,
    version_delete;
answer_values version_list_values, states_values;

/* serving.c, aliases.c */
extern const struct input *const serving_put_inputs[], *const alias_put_inputs[];
handler serving_get, serving_get_finish, serving_put, serving_put_finish, serving_history, serving_history_finish;
answer_values serving_history_values;
handler alias_get, alias_get_finish, alias_put, alias_put_finish, alias_delete, aliases_list, aliases_list_finish;

/* export.c, import_header.c, import.c: a model's state as a safetensors file */
extern const struct input *const export_inputs[];
handler export_start, export_finish, import_header_known, import_start, import_finish;
answer_values export_values;
void export_end(struct request *rq);

/* normalize.c */
extern const struct input *const normalize_inputs[];
handler normalize_once;
