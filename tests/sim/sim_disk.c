/* sim_disk.c: what a node has stored; and what it had stored once, for disks that are put back from a backup. */
#include "sim_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sim_file *file(struct sim_node *node, const char *name)
{
	for (size_t i = 0; i < node->n_files; i++)
		if (strcmp(node->files[i].name, name) == 0)
			return &node->files[i];
	node->files = realloc(node->files, (node->n_files + 1) * sizeof(*node->files));
	KM_ASSERT(node->files);
	memset(&node->files[node->n_files], 0, sizeof(*node->files));
	snprintf(node->files[node->n_files].name, sizeof(node->files[0].name), "%s", name);
	return &node->files[node->n_files++];
}

static void put(struct sim_file *f, const uint8_t *data, size_t len)
{
	free(f->data);
	f->data = NULL;
	f->len = len;
	if (data) {
		f->data = malloc(len ? len : 1);
		KM_ASSERT(f->data);
		memcpy(f->data, data, len);
	}
}

const struct sim_file *sim_disk_find(const struct sim_node *node, const char *name)
{
	for (size_t i = 0; i < node->n_files; i++)
		if (strcmp(node->files[i].name, name) == 0)
			return &node->files[i];
	return NULL;
}

void sim_disk_write(struct sim_node *node, const char *name, const uint8_t *data, size_t len)
{
	put(file(node, name), data, len);
}

static void clear(struct sim_file **files, size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		free((*files)[i].data);
	free(*files);
	*files = NULL;
	*n = 0;
}

static void copy(struct sim_file **to, size_t *n_to, const struct sim_file *from, size_t n)
{
	clear(to, n_to);
	if (!n)
		return;
	*to = calloc(n, sizeof(**to));
	KM_ASSERT(*to);
	for (size_t i = 0; i < n; i++) {
		memcpy((*to)[i].name, from[i].name, sizeof(from[i].name));
		put(&(*to)[i], from[i].data, from[i].len);
	}
	*n_to = n;
}

void sim_disk_copy(struct sim_node *to, const struct sim_node *from)
{
	to->files = to->old = NULL;
	to->n_files = to->n_old = 0;
	copy(&to->files, &to->n_files, from->files, from->n_files);
}

void sim_disk_remember(struct sim_node *node)
{
	copy(&node->old, &node->n_old, node->files, node->n_files);
}

void sim_disk_restore(struct sim *s, struct sim_node *node)
{
	s->count.old_disks++;
	node->restored = 1;
	sim_trace(s, "old disk", node->addr, node->n_old, NULL, 0);
	copy(&node->files, &node->n_files, node->old, node->n_old);
}

void sim_disk_free(struct sim_node *node)
{
	clear(&node->files, &node->n_files);
	clear(&node->old, &node->n_old);
}
