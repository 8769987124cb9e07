/**
 * pace: how soon the loop takes its next turn.
 *
 * An answer that comes while the loop sleeps wakes it, and where all processors are busy its turn
 * takes one from a worker: two switches of threads for every answer or two, which cost more than
 * parsing, sending and receiving.
 *
 * note: pace. While each worker has another query to do when it has done its own, the loop rests
 * between two turns for some 100 us, and finds the answers, lines and connections of that time
 * together: one wake-up for all of them.
 *   - Nobody is idle for it: what the workers have before them is the condition.
 *   - It waits for a time, not for somebody: a step that takes seconds, or hangs, holds up nothing.
 *     Whatever comes (a ping, a cancel, the end of a connection) is seen one rest later at most.
 *   - Who asks alone never meets it: his query is the only one (and the loop waits for it awake,
 *     server.c, note: awake).
 * Answering short queries on the loop itself would spare the switches too, but one processor would
 * do all of them, and a page of the index that is not in memory would stop everybody.
 *
 * Threads: the loop's.
 */
#pragma once

#include "sync/pool.h"

/** After a turn: rests, or does nothing. Has it rested? */
bool pace_rest(const struct pool *compute);
