/* SPDX-License-Identifier: MIT */
/*
 * A helper of the authenticator ask that lets PAM decide: ask-pam [SERVICE [DIRECTORY]]
 *
 * A client sends {"user": "...", "password": "..."}, and is then known by the name that PAM has for
 * that user. SERVICE is that of PAM, by default "outboard"; its file is in DIRECTORY, by default
 * where PAM looks.
 *
 * PAM may block, for as long as it likes: each call is deferred and answered from a thread of its
 * own, so that nobody waits for another. While all threads are busy, others are refused.
 */
#include <outboard/outboard.h>

#include <pthread.h>
#include <security/pam_appl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 32, TEXT = 256 };

static const char *service = "outboard", *directory;
static atomic_int busy;

struct login {
	char user[TEXT], password[TEXT], from[TEXT];
};

/* ---- What is asked ---- */

static bool copy(const struct ob_value *value, char to[TEXT])
{
	struct ob_bytes text;
	if (!ob_get_string(value, &text) || text.len >= TEXT ||
	    (text.len > 0 && memchr(text.data, '\0', text.len) != NULL)) {
		return false;
	}
	memcpy(to, text.data, text.len);
	to[text.len] = '\0';
	return true;
}

static bool read_login(const struct ob_value *params, struct login *ret)
{
	_Alignas(16) uint8_t memory[16 * 1024];
	struct ob_arena arena = {.next = memory, .end = memory + sizeof memory};
	struct ob_bytes data;
	struct ob_value message;
	bool good = ob_get_binary(ob_value_find(params, "data"), &data) &&
		    ob_value_from_json(data, NULL, &arena, &message, NULL) == OB_OK &&
		    copy(ob_value_find(&message, "user"), ret->user) &&
		    copy(ob_value_find(&message, "password"), ret->password);
	if (!copy(ob_value_find(ob_value_find(params, "peer"), "address"), ret->from)) {
		ret->from[0] = '\0';
	}
	explicit_bzero(memory, sizeof memory);
	return good && ret->user[0] != '\0';
}

/* ---- PAM ---- */

/* Answer each prompt: the password where what is typed is hidden, else nothing. PAM frees them. */
static int converse(int count, const struct pam_message **messages, struct pam_response **ret,
		    void *data)
{
	const struct login *login = data;
	struct pam_response *answers = calloc((size_t)count, sizeof *answers);
	for (int i = 0; answers != NULL && i < count; i++) {
		bool hidden = messages[i]->msg_style == PAM_PROMPT_ECHO_OFF;
		answers[i].resp = hidden ? strdup(login->password) : NULL;
	}
	*ret = answers;
	return answers != NULL ? PAM_SUCCESS : PAM_BUF_ERR;
}

/* outboard has penalties of its own for those who fail; but not at a loopback address: where
 * clients come by one, leave out this. */
static void no_delay(int status, unsigned us, void *data)
{
	(void)status, (void)us, (void)data;
}

union delay {
	void (*fn)(int, unsigned, void *);
	const void *item;
};

/* PAM_SUCCESS, and the name of the user. */
static int decide(pam_handle_t *pam, const struct login *login, char ret_name[TEXT])
{
	const void *name = NULL;
	const union delay delay = {.fn = no_delay};
	(void)pam_set_item(pam, PAM_FAIL_DELAY, delay.item);
	if (login->from[0] != '\0') {
		(void)pam_set_item(pam, PAM_RHOST, login->from);
	}
	int status = pam_authenticate(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	status = status == PAM_SUCCESS ? pam_acct_mgmt(pam, PAM_SILENT) : status;
	status = status == PAM_SUCCESS ? pam_get_item(pam, PAM_USER, &name) : status;
	if (status == PAM_SUCCESS && name != NULL) {
		snprintf(ret_name, TEXT, "%s", (const char *)name);
	}
	return status;
}

static void ask_pam(ob_call *call, const struct login *login)
{
	const struct pam_conv conversation = {converse, (void *)(uintptr_t)login};
	pam_handle_t *pam = NULL;
	char name[TEXT] = "";
	int status = directory != NULL
			 ? pam_start_confdir(service, login->user, &conversation, directory, &pam)
			 : pam_start(service, login->user, &conversation, &pam);
	status = status == PAM_SUCCESS ? decide(pam, login, name) : status;
	if (status == PAM_SUCCESS) {
		ob_call_replyf(call, "{s:s,s:s,s:{s:s}}", "word", "done", "subject", name, "claims",
			       "pam-service", service);
	} else {
		ob_call_replyf(call, "{s:s,s:s}", "word", "refused", "reason",
			       pam_strerror(pam, status));
	}
	if (pam != NULL) {
		(void)pam_end(pam, status);
	}
}

/* ---- Calls ---- */

struct job {
	ob_call *call;
	struct login login;
};

static void free_job(struct job *job)
{
	explicit_bzero(job, sizeof *job);
	free(job);
}

static void *work(void *data)
{
	struct job *job = data;
	ask_pam(job->call, &job->login);
	free_job(job);
	atomic_fetch_sub(&busy, 1);
	return NULL;
}

/* Answer the call from a thread of its own. */
static void hand_over(struct job *job)
{
	pthread_t thread;
	if (ob_call_defer(job->call) == NULL) {
		free_job(job);
		return; /* it has been answered */
	}
	if (atomic_fetch_add(&busy, 1) < THREADS && pthread_create(&thread, NULL, work, job) == 0) {
		pthread_detach(thread);
		return;
	}
	atomic_fetch_sub(&busy, 1);
	ob_call_fail(job->call, OB_RPC_BUSY, "too many logins at a time");
	free_job(job);
}

static void step(void *user, ob_call *call, const struct ob_value *params)
{
	struct job *job = calloc(1, sizeof *job);
	(void)user;
	if (job == NULL) {
		ob_call_fail(call, OB_RPC_INTERNAL, "out of memory");
	} else if (!read_login(params, &job->login)) {
		free_job(job);
		ob_call_replyf(call, "{s:s,s:s}", "word", "refused", "reason",
			       "the message is not {\"user\", \"password\"}");
	} else {
		job->call = call;
		hand_over(job);
	}
}

int main(int argc, char **argv)
{
	static const struct ob_method ask[] = {{"step", step}, {NULL, NULL}};
	struct ob_error err;
	ob_server *server = NULL;
	service = argc > 1 ? argv[1] : service;
	directory = argc > 2 ? argv[2] : NULL;
	bool ok = ob_server_open(NULL, &server, &err) == OB_OK &&
		  ob_server_expose(server, "outboard-ask", ask, NULL, &err) == OB_OK &&
		  ob_server_start(server, &err) == OB_OK && ob_server_run(server, &err) == OB_OK;
	if (!ok) {
		fprintf(stderr, "ask-pam: %s\n", err.text);
	}
	ob_server_close(server);
	return ok ? 0 : 1;
}
