/* SPDX-License-Identifier: MIT */
/* place/local_pipes - the two FIFOs that carry the output of a local child. */
#ifndef OBI_PLACE_LOCAL_PIPES_H
#define OBI_PLACE_LOCAL_PIPES_H

#include "files/datadir.h"
#include "files/fifo.h"
#include "log/pipe.h"
#include "place/place.h"

struct obi_local_pipe {
	struct obi_fifo fifo;
	struct obi_log_pipe pipe;
	struct obi_place *place; /* gets the chunks as its event `log` */
	int stream;
};

struct obi_local_pipes {
	struct obi_local_pipe out, err;
};

void obi_local_pipes_init(struct obi_local_pipes *pipes, struct obi_place *place);

/* Make new FIFOs of this size for a child to come, and read them. */
int obi_local_pipes_make(struct obi_local_pipes *pipes, struct obi_loop *loop,
			 const struct obi_datadir *dir, uint32_t bytes, struct ob_error *reterr);
/* Read those of a child that lives, as far as they can be opened. */
void obi_local_pipes_open(struct obi_local_pipes *pipes, struct obi_loop *loop,
			  const struct obi_datadir *dir);

/* Close the child's ends, after the spawn. */
void obi_local_pipes_close_child(struct obi_local_pipes *pipes);
/* Read what is in them, after the child's death. */
void obi_local_pipes_drain(struct obi_local_pipes *pipes);
void obi_local_pipes_close(struct obi_local_pipes *pipes);

#endif
