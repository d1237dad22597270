/* SPDX-License-Identifier: MIT */
/* A listener whose owner closes it while it asks for a slot: whoever reads other connections to
 * make room may find out that the child is gone. The transport is a double. */
#include "rpc/acceptor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

/* One connection waits there, always. */
struct ob_listener {
	int ends[2];
	bool closed;
};

struct ob_stream {
	int unused;
};

struct owner {
	struct obi_acceptor acceptor;
	int waits; /* so often admission says that there is no slot yet */
	int asked, accepted, closed_streams;
};

static struct ob_listener listener;
static struct ob_stream stream;
static struct owner owner;

/* ---- The transport ---- */

static int double_listen(const struct ob_host *host, const struct ob_uri *uri,
			 const struct ob_listen_params *params, struct ob_listener **ret,
			 struct ob_error *reterr)
{
	(void)host;
	(void)uri;
	(void)params;
	(void)reterr;
	*ret = &listener;
	return OB_OK;
}

static int double_accept(struct ob_listener *l, struct ob_stream **ret, struct ob_error *reterr)
{
	(void)reterr;
	assert_ptr_equal(l, &listener);
	*ret = &stream;
	return OB_OK;
}

static int double_listener_fd(struct ob_listener *l)
{
	assert_ptr_equal(l, &listener);
	assert_false(l->closed);
	return l->ends[0];
}

static void double_listener_close(struct ob_listener *l)
{
	assert_ptr_equal(l, &listener);
	l->closed = true;
}

static void double_close(struct ob_stream *s)
{
	assert_ptr_equal(s, &stream);
	owner.closed_streams++;
}

static const struct ob_transport_ops transport = {
    .size = sizeof transport,
    .listen = double_listen,
    .accept = double_accept,
    .listener_fd = double_listener_fd,
    .listener_close = double_listener_close,
    .close = double_close,
};

/* ---- The owner ---- */

static struct obi_admission_answer on_admit(void *user, struct obi_origin from)
{
	(void)user;
	(void)from;
	if (owner.asked++ < owner.waits) {
		return (struct obi_admission_answer){.verdict = OBI_ADMISSION_WAIT, .ms = 1};
	}
	obi_acceptor_stop(&owner.acceptor);
	obi_acceptor_close(&owner.acceptor);
	return (struct obi_admission_answer){.verdict = OBI_ADMISSION_ENTER};
}

static void on_accepted(void *user, struct ob_stream *s, struct obi_origin from)
{
	(void)user;
	(void)from;
	owner.accepted++;
	double_close(s);
}

static void on_warn(void *user, const struct obi_origin *from, const char *what, const char *why)
{
	(void)user;
	(void)from;
	(void)what;
	(void)why;
}

static void it_may_be_closed_while_it_asks(void **state)
{
	(void)state;
	for (int waits = 0; waits < 2; waits++) {
		struct obi_loop *loop;
		assert_int_equal(obi_loop_new(NULL, 0, &loop, NULL), OB_OK);
		assert_int_equal(pipe(listener.ends), 0);
		assert_int_equal(write(listener.ends[1], "", 1), 1);
		listener.closed = false;
		owner = (struct owner){.waits = waits};
		owner.acceptor.loop = loop;
		owner.acceptor.transport = &transport;
		owner.acceptor.events =
		    (struct obi_acceptor_events){on_admit, on_accepted, on_warn, NULL};
		assert_int_equal(obi_acceptor_listen(&owner.acceptor, "unix:///x", NULL, NULL),
				 OB_OK);
		while (owner.accepted == 0) {
			obi_loop_turn(loop, true);
		}
		obi_loop_turn(loop, false);
		assert_int_equal(owner.asked, waits + 1);
		assert_int_equal(owner.accepted, 1);
		assert_int_equal(owner.closed_streams, 1);
		assert_true(listener.closed);
		obi_loop_close(loop);
		close(listener.ends[0]);
		close(listener.ends[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_may_be_closed_while_it_asks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
