/*
 * The pieces of a batch that batch normalization normalizes each by its own moments: the whole batch is one, or it is cut into ghost
 * batches (Hoffer, Hubara, Soudry 2017), perhaps after its samples were shuffled by a seed.
 */
#ifndef HANDLERS_GHOSTS_H
#define HANDLERS_GHOSTS_H

#include "handlers/mask.h"
#include "handlers/request.h"

struct ghosts {
	size_t samples;
	size_t each;  /* samples of every piece but the last, which may be smaller */
	size_t count; /* pieces; 0 where there are no samples */

	/* Where they are shuffled; else NULL. In the request's memory. */
	size_t *order;
	void *scratch;
};

/* How `samples` are cut: as torch.chunk does, into as many pieces of at most `each` (0: all) as it takes, at least `count_min`. */
struct ghosts ghosts_cut(size_t samples, size_t each, size_t count_min);

/*
 * Cuts a tensor that is not empty as its layer's definition says; `seed` is that of the shuffle, where there is one. shape_mismatch where its samples
 * are not its first dimension, overloaded.
 */
int ghosts_init(struct request *rq, const struct definition *d, const struct tensor *t, uint64_t seed, struct ghosts *g,
    struct err *e) MUST_CHECK;

/* The samples in their shuffled order, and back. Nothing where they are not shuffled. */
void ghosts_shuffle(const struct ghosts *g, struct tensor *t);
void ghosts_unshuffle(const struct ghosts *g, struct tensor *t);

/* Piece `i` of a tensor seen as `view`, as a tensor and a view of its own; the values are the tensor's. */
struct tensor
ghosts_piece(const struct ghosts *g, const struct tensor *t, struct norm_view view, size_t i, struct norm_view *piece_view);

/* The same orders for the padding that goes with the samples. */
void ghosts_shuffle_mask(const struct ghosts *g, const struct mask *m);
void ghosts_unshuffle_mask(const struct ghosts *g, const struct mask *m);

/* What of piece `i` counts, as mask_moments takes it; NULL: all. */
const unsigned char *ghosts_piece_keep(const struct ghosts *g, const struct mask *m, size_t i);

/* The moments of piece `i`, seen as `view`, of what is no padding; *count: of so many values a feature. Errors as forward_moments. */
int ghosts_moments(struct request *rq, const struct ghosts *g, size_t i, const struct tensor *piece, struct norm_view view,
    const struct mask *m, double *mean, double *var, size_t *count, struct err *e) MUST_CHECK;

/* `seed` in the query or the body, which a layer that does not shuffle refuses; *given tells whether it is there. */
int ghosts_seed(const struct request *rq, const struct cJSON *body, uint64_t *seed, bool *given, struct err *e) MUST_CHECK;

#endif
