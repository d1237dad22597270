/* SPDX-License-Identifier: MIT */
/*
 * agent - an agent in a process of its own.
 *
 *   agent LISTEN ROOT LOG_MEMORY CHILDREN_MAX [ALLOW...]
 *
 * It prints "ready" when it listens, and serves until outboard-control.shutdown.
 */
#include <outboard/outboard.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

int main(int argc, char **argv)
{
	struct ob_error err = {0};
	ob_server *server = NULL;
	ob_agent *agent = NULL;
	if (argc < 5 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
		return 2;
	}
	const struct ob_server_options options = {
	    .size = sizeof options,
	    .listen = argv[1],
	    .auth = (const char *const[]){"peercred", NULL},
	    .rules = (const char *const[]){"allow outboard-control.shutdown", "allow *", NULL},
	    .log_ring_bytes = UINT32_MAX,
	};
	const struct ob_agent_options of_agent = {
	    .size = sizeof of_agent,
	    .root = argv[2],
	    .log_memory = strtoul(argv[3], NULL, 10),
	    .children_max = (uint32_t)strtoul(argv[4], NULL, 10),
	    .allow = (const char *const *)argv + 5,
	};
	bool ok = ob_server_open(&options, &server, &err) == OB_OK &&
		  ob_agent_new(server, &of_agent, &agent, &err) == OB_OK &&
		  ob_server_start(server, &err) == OB_OK;
	if (ok) {
		printf("ready\n");
		fflush(stdout);
		ok = ob_server_run(server, &err) == OB_OK;
	}
	if (!ok) {
		printf("error %s\n", err.text);
	}
	ob_agent_free(agent);
	ob_server_close(server);
	return ok ? 0 : 1;
}
