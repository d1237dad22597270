/* SPDX-License-Identifier: MIT */
#include "log/queue.h"

#include <stdlib.h>

#include "log/render.h"

enum { SWEEP_FIRST = 64, LINE_LEAST = 64, KEPT = 64 * 1024 };

/* One stream of one child; or, with stream 0, what the parent says of it, or of nobody (name
 * NULL). */
struct obi_log_channel {
	struct obi_log_channel *next;	    /* of its bucket */
	struct obi_log_channel *next_loser; /* only if lost is not 0 */
	size_t bytes;			    /* of its lines that wait */
	uint64_t lost;			    /* records, not reported yet */
	int stream;
	bool named;
	char name[];
};

/* Lines that follow each other, of one channel. */
struct entry {
	struct obi_log_channel *channel;
	size_t left;	   /* bytes that are not written yet */
	uint64_t reported; /* 0: each line is a record. Else it is one line, and reports so many */
};

/* ---- Channels ---- */

/* FNV-1a. The names come from the config, not from a child. */
static size_t bucket_of(const char *name, int stream)
{
	uint32_t hash = 2166136261u ^ (uint32_t)stream;
	for (; name != NULL && *name != '\0'; name++) {
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	}
	return hash % OBI_LOG_CHANNEL_BUCKETS;
}

static bool is_of(const struct obi_log_channel *channel, const char *name, int stream)
{
	return channel->stream == stream && channel->named == (name != NULL) &&
	       (name == NULL || strcmp(channel->name, name) == 0);
}

/* Free the channels of one bucket that are idle. */
static void sweep_bucket(struct obi_log_queue *queue, struct obi_log_channel **at)
{
	while (*at != NULL) {
		struct obi_log_channel *channel = *at;
		if (channel == queue->own || channel->bytes > 0 || channel->lost > 0) {
			at = &channel->next;
			continue;
		}
		*at = channel->next;
		free(channel);
		queue->channels--;
	}
}

/* Names come and go in a program that runs for long. */
static void sweep(struct obi_log_queue *queue)
{
	for (size_t i = 0; i < OBI_LOG_CHANNEL_BUCKETS; i++) {
		sweep_bucket(queue, &queue->buckets[i]);
	}
	queue->sweep_at = queue->channels > SWEEP_FIRST / 2 ? 2 * queue->channels : SWEEP_FIRST;
}

static struct obi_log_channel *new_channel(struct obi_log_queue *queue, const char *name,
					   int stream)
{
	size_t len = name != NULL ? strlen(name) : 0;
	if (queue->channels >= queue->sweep_at) {
		queue->latest = queue->own;
		queue->head.channel = NULL;
		sweep(queue);
	}
	struct obi_log_channel *channel = calloc(1, sizeof *channel + len + 1);
	if (channel == NULL) {
		return NULL;
	}
	struct obi_log_channel **bucket = &queue->buckets[bucket_of(name, stream)];
	channel->stream = stream;
	channel->named = name != NULL;
	memcpy(channel->name, name != NULL ? name : "", len);
	channel->next = *bucket;
	*bucket = channel;
	queue->channels++;
	return channel;
}

static struct obi_log_channel *channel_of(struct obi_log_queue *queue, const char *name, int stream)
{
	if (is_of(queue->latest, name, stream)) {
		return queue->latest; /* a child has several lines in a row, mostly */
	}
	struct obi_log_channel *channel = queue->buckets[bucket_of(name, stream)];
	while (channel != NULL && !is_of(channel, name, stream)) {
		channel = channel->next;
	}
	channel = channel != NULL ? channel : new_channel(queue, name, stream);
	queue->latest = channel != NULL ? channel : queue->own;
	return queue->latest;
}

/* A division takes as long as much of the rest of a short line. */
static size_t share_of(struct obi_log_queue *queue, const struct obi_log_channel *channel)
{
	uint32_t busy = queue->busy + (channel->bytes == 0);
	if (queue->shared_by != busy) {
		size_t share = queue->max / busy;
		queue->share = share > OBI_LOG_SHARE_MIN ? share : OBI_LOG_SHARE_MIN;
		queue->shared_by = busy;
	}
	return queue->share;
}

static void charge(struct obi_log_queue *queue, struct obi_log_channel *channel, size_t bytes)
{
	queue->busy += channel->bytes == 0;
	channel->bytes += bytes;
}

static void release(struct obi_log_queue *queue, struct obi_log_channel *channel, size_t bytes)
{
	channel->bytes -= bytes;
	queue->busy -= channel->bytes == 0;
}

static void count_lost(struct obi_log_queue *queue, struct obi_log_channel *channel, uint64_t n)
{
	if (channel->lost == 0) {
		channel->next_loser = NULL;
		*queue->losers_end = channel;
		queue->losers_end = &channel->next_loser;
	}
	channel->lost += n;
}

/* ---- Life ---- */

static void init_lines(struct obi_log_lines *lines)
{
	/* The shares are the maximum. */
	obi_buf_init(&lines->text, SIZE_MAX / 4);
	obi_buf_init(&lines->entries, SIZE_MAX / 4);
}

bool obi_log_queue_init(struct obi_log_queue *queue, size_t max, bool json, bool color)
{
	memset(queue, 0, sizeof *queue);
	queue->max = max > OBI_LOG_SHARE_MIN ? max : OBI_LOG_SHARE_MIN;
	queue->json = json;
	queue->color = color;
	queue->sweep_at = SWEEP_FIRST;
	queue->losers_end = &queue->losers;
	init_lines(&queue->waiting);
	init_lines(&queue->batch);
	obi_buf_init(&queue->line, queue->max);
	queue->own = queue->latest = new_channel(queue, NULL, 0);
	return queue->own != NULL;
}

static void free_lines(struct obi_log_lines *lines)
{
	obi_buf_free(&lines->text);
	obi_buf_free(&lines->entries);
}

void obi_log_queue_free(struct obi_log_queue *queue)
{
	for (size_t i = 0; i < OBI_LOG_CHANNEL_BUCKETS; i++) {
		while (queue->buckets[i] != NULL) {
			struct obi_log_channel *channel = queue->buckets[i];
			queue->buckets[i] = channel->next;
			free(channel);
		}
	}
	free_lines(&queue->waiting);
	free_lines(&queue->batch);
	obi_buf_free(&queue->line);
	queue->losers = NULL;
}

/* ---- Lines ---- */

/* malloc() aligns the memory, and entries are all that is in it. */
static struct entry *first_entry(struct obi_log_lines *lines)
{
	return (struct entry *)(void *)(lines->entries.sink.data + lines->entries.start);
}

static struct entry *last_entry(struct obi_log_lines *lines)
{
	return (struct entry *)(void *)(lines->entries.sink.data + lines->entries.sink.len) - 1;
}

/* Render the record into queue->line. Returns whether it fits into a whole queue. */
static bool render(struct obi_log_queue *queue, const struct ob_log_record *record)
{
	struct ob_sink *out = obi_buf_sink(&queue->line);
	obi_buf_truncate(&queue->line, 0);
	return queue->json ? obi_log_render_json(record, out)
			   : obi_log_render_human(record, queue->color, out);
}

/* What a line that was cut before lacks already. */
static uint64_t discarded_of(const struct ob_log_record *record)
{
	uint64_t n = 0;
	if ((record->flags & (OB_LOG_TRUNCATED | OB_LOG_PARSED)) == OB_LOG_TRUNCATED) {
		(void)ob_get_uint(ob_value_find(&record->attrs, "discarded"), &n);
	}
	return n;
}

/* Render as much of the message as fits into room; attributes and source go. */
static bool render_cut(struct obi_log_queue *queue, const struct ob_log_record *record, size_t room)
{
	size_t all =
	    record->line.len > record->message.len ? record->line.len : record->message.len;
	struct ob_pair discarded = {ob_string("discarded"), ob_uint(discarded_of(record) + all)};
	struct ob_log_record cut = *record;
	cut.flags = (record->flags & ~(uint32_t)OB_LOG_PARSED) | OB_LOG_TRUNCATED;
	cut.attrs = ob_map(&discarded, 1);
	cut.source_function = cut.source_file = cut.message = (struct ob_bytes){NULL, 0};
	cut.source_line = 0;
	if (!render(queue, &cut) || obi_buf_len(&queue->line) > room) {
		return false;
	}
	cut.message = record->message;
	cut.message.len =
	    obi_log_message_fit(record->message, queue->json, room - obi_buf_len(&queue->line));
	discarded.value = ob_uint(discarded_of(record) + all - cut.message.len);
	return render(queue, &cut) && obi_buf_len(&queue->line) <= room;
}

/* Account for len bytes that were appended to the text. Returns false when there is no memory. */
static bool add_entry(struct obi_log_lines *to, struct obi_log_channel *channel, size_t len,
		      uint64_t reported)
{
	struct obi_buf *entries = &to->entries;
	struct entry entry = {channel, len, reported};
	if (reported == 0 && obi_buf_len(entries) > 0) {
		struct entry *last = last_entry(to);
		if (last->channel == channel && last->reported == 0) {
			last->left += len;
			return true;
		}
	}
	return ob_sink_put(obi_buf_sink(entries), &entry, sizeof entry);
}

/* Append queue->line. Returns false when there is no memory. */
static bool append(struct obi_log_queue *queue, struct obi_log_lines *to,
		   struct obi_log_channel *channel, uint64_t reported)
{
	struct ob_bytes line = obi_buf_bytes(&queue->line);
	size_t before = obi_buf_len(&to->text), entries = obi_buf_len(&to->entries);
	if (!ob_sink_put(obi_buf_sink(&to->text), line.data, line.len) ||
	    !add_entry(to, channel, line.len, reported)) {
		obi_buf_truncate(&to->text, before);
		obi_buf_truncate(&to->entries, entries);
		return false;
	}
	charge(queue, channel, line.len);
	return true;
}

/* The room that is left of a share for a line of that length. */
static size_t room_for(const struct obi_log_channel *channel, size_t share, size_t len)
{
	size_t limit = len > share / 4 ? share - share / 4 : share;
	return limit > channel->bytes ? limit - channel->bytes : 0;
}

/* Make queue->line, whole or cut. Returns false when there is no room for it. */
static bool make_line(struct obi_log_queue *queue, const struct obi_log_channel *channel,
		      const struct ob_log_record *record)
{
	size_t share = share_of(queue, channel);
	if (room_for(channel, share, 0) < LINE_LEAST) {
		return false;
	}
	size_t len = render(queue, record) ? obi_buf_len(&queue->line) : SIZE_MAX;
	size_t room = room_for(channel, share, len);
	return len <= room ||
	       (len > share / 4 && room >= share / 4 && render_cut(queue, record, room));
}

/* ---- Lines that are a head and a message ---- */

static bool is_head_of(const struct obi_log_head *head, const struct obi_log_channel *channel,
		       const struct ob_log_record *record)
{
	return head->channel == channel && head->time.tv_sec == record->time.tv_sec &&
	       head->time.tv_nsec == record->time.tv_nsec &&
	       head->utc_offset == record->utc_offset && head->level == record->level &&
	       head->flags == record->flags;
}

/* NULL: it is too long to be kept. */
static const struct obi_log_head *head_of(struct obi_log_queue *queue,
					  const struct obi_log_channel *channel,
					  const struct ob_log_record *record)
{
	struct obi_log_head *head = &queue->head;
	struct ob_sink out = ob_sink_fixed(head->text, sizeof head->text);
	if (is_head_of(head, channel, record)) {
		return head;
	}
	head->channel = NULL;
	/* One that takes in the records of others has no name of its own. */
	if (!is_of(channel, record->name, record->stream) ||
	    !obi_log_render_head(record, queue->json, queue->color, &out)) {
		return NULL;
	}
	head->channel = channel;
	head->time = record->time;
	head->utc_offset = record->utc_offset;
	head->level = record->level;
	head->flags = record->flags;
	head->len = out.len;
	return head;
}

/* Put the line together where it waits, if that is all there is to it and it is short. */
static bool put_plain(struct obi_log_queue *queue, struct obi_log_channel *channel,
		      const struct ob_log_record *record)
{
	struct obi_buf *text = &queue->waiting.text;
	const struct obi_log_head *head = head_of(queue, channel, record);
	if (head == NULL || !obi_log_is_plain(record, queue->json)) {
		return false;
	}
	struct ob_bytes end = ob_bytes_text(queue->json ? OBI_LOG_END_JSON : "\n");
	size_t before = obi_buf_len(text), message = record->message.len;
	size_t len = head->len + message + end.len, share = share_of(queue, channel);
	bool fits = len <= share / 4 && len <= room_for(channel, share, len);
	uint8_t *at = fits ? obi_buf_reserve(text, len, NULL) : NULL;
	if (at == NULL) {
		obi_buf_truncate(text, before);
		return false;
	}
	memcpy(at, head->text, head->len);
	memcpy(at + head->len, record->message.data, message);
	memcpy(at + head->len + message, end.data, end.len);
	ob_sink_commit(obi_buf_sink(text), len);
	if (!add_entry(&queue->waiting, channel, len, 0)) {
		obi_buf_truncate(&queue->waiting.entries, obi_buf_len(&queue->waiting.entries));
		obi_buf_truncate(text, before);
		return false;
	}
	charge(queue, channel, len);
	return true;
}

void obi_log_queue_put(struct obi_log_queue *queue, const struct ob_log_record *record)
{
	struct obi_log_channel *channel = channel_of(queue, record->name, record->stream);
	if (put_plain(queue, channel, record)) {
		return;
	}
	if (!make_line(queue, channel, record) || !append(queue, &queue->waiting, channel, 0)) {
		count_lost(queue, channel, 1);
	}
	if (queue->line.sink.cap > KEPT) {
		obi_buf_free(&queue->line);
	}
}

/* ---- Batches ---- */

/* Returns false when there is no memory. */
static bool report(struct obi_log_queue *queue, struct obi_log_channel *channel,
		   struct timespec now)
{
	struct ob_pair pairs[2] = {
	    {ob_string("dropped"), ob_uint(channel->lost)},
	    {ob_string("from"), ob_string(obi_log_stream_name(channel->stream))}};
	struct ob_log_record record = {
	    .size = sizeof record,
	    .name = channel->named ? channel->name : NULL,
	    .time = now,
	    .level = OB_LOG_WARN,
	    .message = ob_bytes_text("log records were dropped"),
	    .attrs = ob_map(pairs, channel->stream != 0 ? 2 : 1),
	};
	return render(queue, &record) && append(queue, &queue->batch, channel, channel->lost);
}

void obi_log_queue_take(struct obi_log_queue *queue, struct timespec now)
{
	struct obi_log_lines batch = queue->waiting;
	struct obi_log_channel *channel = queue->losers;
	queue->waiting = queue->batch;
	queue->batch = batch;
	queue->losers = NULL;
	queue->losers_end = &queue->losers;
	while (channel != NULL) {
		struct obi_log_channel *next = channel->next_loser;
		uint64_t lost = channel->lost;
		bool reported = report(queue, channel, now);
		channel->lost = 0;
		if (!reported) {
			count_lost(queue, channel, lost);
		}
		channel = next;
	}
}

void obi_log_queue_written(struct obi_log_queue *queue, size_t n)
{
	obi_buf_consume(&queue->batch.text, n);
	while (n > 0) {
		struct entry *entry = first_entry(&queue->batch);
		size_t done = n < entry->left ? n : entry->left;
		release(queue, entry->channel, done);
		entry->left -= done;
		n -= done;
		if (entry->left == 0) {
			obi_buf_consume(&queue->batch.entries, sizeof *entry);
		}
	}
}

/* How many of the lines that the entry has left are not written completely. */
static uint64_t lines_of(const struct ob_bytes batch, const struct entry *entry)
{
	uint64_t lines = 0;
	const uint8_t *at = batch.data, *end = at + entry->left;
	while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		lines++;
		at++;
	}
	return lines;
}

void obi_log_queue_lost(struct obi_log_queue *queue)
{
	while (obi_buf_len(&queue->batch.entries) > 0) {
		const struct entry *entry = first_entry(&queue->batch);
		count_lost(queue, entry->channel,
			   entry->reported > 0 ? entry->reported
					       : lines_of(obi_log_queue_batch(queue), entry));
		obi_log_queue_written(queue, entry->left);
	}
}
