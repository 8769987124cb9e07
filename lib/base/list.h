/**
 * list: a doubly linked list threaded through its members.
 *
 * `struct list` is both the head and the link; an initialised head or an unlinked link points at
 * itself. Which list a link may be on is said where it is declared.
 */
#pragma once

#include "base/defs.h"

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(l)       \
	{                  \
		&(l), &(l) \
	}
#define LIST_ITEM(link, type, member) CONTAINER_OF(link, type, member)
/** The current element may be unlinked in the body. */
#define LIST_EACH(head, it)                                                   \
	for (struct list *it = (head)->next, *next_ = it->next; it != (head); \
		it = next_, next_ = it->next)

static inline void
list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool
list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void
list_push_back(struct list *head, struct list *link)
{
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

static inline void
list_push_front(struct list *head, struct list *link)
{
	list_push_back(head->next, link);
}

static inline void
list_remove(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

static inline struct list *
list_pop_front(struct list *head)
{
	struct list *link = head->next;

	if (link == head)
		return NULL;
	list_remove(link);
	return link;
}
